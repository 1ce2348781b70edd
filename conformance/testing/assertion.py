"""One line for anyone's own test: `assert_conforms("mine.py:loss")`."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.clauses import CLAUSES, select
from conformance.errors import BadRequest
from conformance.implementations import Implementation
from conformance.records.record import Record
from conformance.reports import causes, words
from conformance.running.runner import judge
from oracle import Format

SHOWN = 5
"""Violations that are told in full, where no cause is known; the rest are told in a line each."""
LISTED = 20
"""Violations that are told in a line."""


def assert_conforms(
    implementation: Implementation | str,
    *,
    dtypes: Iterable[str | Format] | None = None,
    profile: str = "quick",
    seed: int = 0,
    clauses: Iterable[str] | None = None,
) -> Record:
    """Judge an implementation, an object or a name that `load` takes; returns the record.

    clauses: ids, or chapters such as "KERNEL"; all of them without it. Raises AssertionError, with the cause, the smallest
    input that shows it and each violated MUST, and where it was judged in no format; BadRequest for what is no
    implementation, and for a profile, a format, a clause or a seed that does not exist; and what `load` raises.
    """
    __tracebackhide__ = True
    if not isinstance(implementation, str) and not hasattr(implementation, "claims"):
        raise BadRequest(
            f"{implementation!r} is a {type(implementation).__name__}, not an implementation; wrap it with "
            "numpy_implementation or torch_implementation from conformance.implementations"
        )
    chosen = CLAUSES if clauses is None else select(clauses)
    record = judge(implementation, dtypes=dtypes, profile=profile, seed=seed, clauses=chosen)
    violations = [(run, finding) for run in record.runs for finding in run.violated]
    if violations:
        why = ["\n".join(causes.lines(told)) for told in causes.told(record)]
        evidence = [words.violation(run, finding) for run, finding in violations[: 0 if why else SHOWN]]
        left = [words.headline(run, finding) for run, finding in violations[len(evidence) :]]
        evidence += ["\n".join([*left[:LISTED], *[f"and {len(left) - LISTED:,} more"] * (len(left) > LISTED)])] if left else []
        raise AssertionError("\n\n".join([words.summary(record), *why, *evidence]))
    if record.unjudged:
        reasons = dict.fromkeys(run.reason for run in record.runs)
        raise AssertionError(f"{', '.join(record.unjudged)} was judged in no format: {'; '.join(reasons)}")
    return record
