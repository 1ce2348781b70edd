"""One line for anyone's own test: `assert_conforms("mine.py:loss")`."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.clauses import CLAUSES, select
from conformance.errors import BadRequest
from conformance.implementations import Implementation
from conformance.records.record import Record
from conformance.reports import words
from conformance.running.runner import judge
from oracle import Format

SHOWN = 5
"""Violations that are told in full; the rest are told in a line each."""


def assert_conforms(
    implementation: Implementation | str,
    *,
    dtypes: Iterable[str | Format] | None = None,
    profile: str = "quick",
    seed: int = 0,
    clauses: Iterable[str] | None = None,
) -> Record:
    """Judge an implementation, an object or a name that `load` takes; returns the record.

    clauses: ids, or chapters such as "KERNEL"; all of them without it. Raises AssertionError, with what `run` would
    print of each violated MUST, and where it was judged in no format; BadRequest for what is no implementation, and for
    a profile, a format, a clause or a seed that does not exist; and what `load` raises.
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
        told = [words.violation(run, finding) for run, finding in violations[:SHOWN]]
        told += [words.headline(run, finding) for run, finding in violations[SHOWN:]]
        raise AssertionError("\n\n".join([words.summary(record), *told]))
    if record.unjudged:
        reasons = dict.fromkeys(run.reason for run in record.runs)
        raise AssertionError(f"{', '.join(record.unjudged)} was judged in no format: {'; '.join(reasons)}")
    return record
