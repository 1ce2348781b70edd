"""The process in which a named implementation is judged: a job on standard input, a message a line on standard output.

What the implementation prints goes to standard error, so that it cannot speak in the suite's name.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any, TextIO

from conformance.clauses import find, for_kind
from conformance.clauses.model import Clause
from conformance.clauses.trial import Trial
from conformance.errors import ConformanceError
from conformance.implementations import Implementation
from conformance.implementations.loading import loaded
from conformance.inputs.profiles import get_profile
from conformance.records.record import Finding, Verdict, finding_from, plain
from conformance.running.trying import check, explained, opened, skipped, unanswered
from conformance.running.watch import Page, Watch, watched
from oracle import get_format

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Judge the job's implementation from its first step on."""
    _end_with_its_parent()
    job = json.loads(sys.stdin.read())
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out, ExitStack() as stack:
        os.dup2(2, 1)
        sys.path[:] = job["path"] or sys.path  # none is given where this Python is another environment's
        page = Page(job["page"])
        try:
            with page.waiting():
                implementation = stack.enter_context(loaded(job["source"], time_limit=job["time_limit"]))
            _judge(implementation, job, Watch(job["time_limit"], page.waiting), out)
        except ConformanceError as error:
            _say(out, error=type(error).__name__, text=str(error))
        _say(out, done=True)


def _end_with_its_parent() -> None:
    """A judge that is killed ends what it judges, where Linux can see to that; elsewhere the next message finds nobody."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _judge(given: Implementation, job: dict[str, Any], watch: Watch, out: TextIO) -> None:
    implementation = watched(given, watch)

    def alive(*done: int) -> None:
        watch.restart()
        _say(out, alive=done)

    profile = get_profile(job["profile"])
    if job["explain"] is not None:
        trial = Trial(implementation, get_format(job["explain"]["format"]), profile, job["seed"], alive)
        _explain(trial, [finding_from(found) for found in job["explain"]["findings"]], out)
        return
    asked = [find(identity) for identity in job["clauses"]]
    clauses = for_kind(implementation.claims.kind, asked)
    if list(clauses) != asked:
        _say(out, clauses=[clause.id for clause in clauses])
    first, within = divmod(job["start"], len(clauses))
    for name in job["formats"][first:]:
        fmt = get_format(name)
        watch.restart()
        blank = opened(implementation, fmt, profile, job["source"])
        _say(out, run=plain(blank))
        if blank.verdict is Verdict.CONFORMS:
            trial = Trial(implementation, fmt, profile, job["seed"], alive)
            refused, findings = "", []
            for clause in clauses[within:]:
                watch.restart()
                _say(out, checking=clause.id)
                finding = skipped(clause, refused) if refused else _checked(clause, trial, given)
                if unanswered(finding):
                    refused = f"it violates {clause.id}: {finding.note}"
                findings.append(finding)
                _say(out, finding=plain(finding))
            watch.restart()
            _explain(trial, findings, out)
        within = 0


def _explain(trial: Trial, findings: Sequence[Finding], out: TextIO) -> None:
    """Why it violates, as far as these findings say that it does."""
    _say(out, diagnosing=trial.fmt.name)
    _say(out, diagnosis=plain(explained(trial, findings, lambda text: _say(out, defect=text))))


def _checked(clause: Clause, trial: Trial, given: Implementation) -> Finding:
    """What `check` finds; an exception that is the suite's own blames nobody: the clause is not run, and the note says why."""
    try:
        return check(clause, trial)
    except Exception as error:
        frames = traceback.walk_tb(error.__traceback__)
        if any(frame.f_locals.get("self") is given for frame, _ in frames):
            raise
        traceback.print_exc()
        return skipped(clause, f"a defect of the suite, not of the implementation: {type(error).__name__}: {error}")


def _say(out: TextIO, **message: Any) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
