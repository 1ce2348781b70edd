"""Which run of one record answers to which run of another, and whether the two may be compared at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conformance.errors import ConformanceError
from conformance.records.record import Record, Run
from oracle import FORMATS


class NotComparable(ConformanceError):
    """Two records that differ in what makes their findings comparable; says in what, and what to do."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The runs of one implementation in one format: in the baseline and in the record, where there are any."""

    implementation: str
    format: str
    before: Run | None
    now: Run | None


def check_comparable(baseline: Record, record: Record) -> None:
    """Raises NotComparable where the suite, its version or the seed differs, where the baseline judged nothing, and where
    one of them is incomplete.

    Another version of a library is comparable: to see what it changes is what a comparison is for.
    """
    for which, one in (("baseline", baseline), ("record", record)):
        if one.incomplete:
            raise NotComparable(f"the {which} is incomplete ({one.incomplete}): judge again, to the end")
    for name in ("name", "version"):
        was, now = baseline.suite[name], record.suite[name]
        if was != now:
            raise NotComparable(f"suite {name} {was} before and {now} now: judge the baseline's code again with this suite")
        if now == "unknown":
            raise NotComparable("the suite's version is unknown: install dpo-conformance, and judge again")
    if baseline.seed != record.seed:
        raise NotComparable(f"seed {baseline.seed} before and {record.seed} now: judge with the same seed")
    if not any(run.judged for run in baseline.runs):
        raise NotComparable("the baseline judged nothing")


def check_same_machine(baseline: Record, record: Record) -> None:
    """Raises NotComparable where the architecture or the operating system differs: other machines round differently.

    Another CPU of the same architecture is comparable, and told.
    """
    for name, short in (("machine", str), ("system", lambda text: text.split()[0] if text else "")):
        was, now = (short(one.environment.get(name, "")) for one in (baseline, record))
        if was != now:
            raise NotComparable(
                f"{name} {was or 'unknown'} before and {now or 'unknown'} now: an error that grew could be the machine's; "
                "make the baseline where the gate runs, or pass --across-machines"
            )


def pair_up(baseline: Record, record: Record, renamed: Mapping[str, str]) -> list[Pair]:
    """The runs of both, in the record's order and then what only the baseline has.

    Implementations answer to each other by name, and by name and source where a name has several. renamed: names of
    the baseline, and what the record calls them. Raises NotComparable for a run that stands twice in a record, another
    profile or device, and a renamed name that is in neither.
    """
    _check_renamed(baseline, record, renamed)
    shared = baseline.shared_names | record.shared_names
    old = _by_key(baseline, shared, "baseline", renamed)
    new = _by_key(record, shared, "record", {})
    order = list(dict.fromkeys([*new, *old]))
    names = list(dict.fromkeys(name for name, _ in order))
    formats = [fmt.name for fmt in FORMATS]
    order.sort(key=lambda key: (names.index(key[0]), formats.index(key[1])))
    pairs = [Pair(*key, old.get(key), new.get(key)) for key in order]
    for pair in pairs:
        _check_pair(pair)
    return pairs


def same_devices(pairs: list[Pair]) -> Iterator[tuple[Pair, str, str]]:
    """The pairs that ran on different devices, with both: a CPU's errors are no measure of a GPU's."""
    for pair in pairs:
        if pair.before is not None and pair.now is not None:
            was, now = (run.environment.get("device", "") for run in (pair.before, pair.now))
            if was != now:
                yield pair, was, now


def _check_pair(pair: Pair) -> None:
    if pair.before is not None and pair.now is not None and pair.before.profile != pair.now.profile:
        raise NotComparable(
            f"{pair.implementation} in {pair.format}: profile {pair.before.profile} before and "
            f"{pair.now.profile} now: judge under the same profile"
        )


def _check_renamed(baseline: Record, record: Record, renamed: Mapping[str, str]) -> None:
    for old, new in renamed.items():
        for name, where, one in ((old, "first", baseline), (new, "second", record)):
            has = sorted({run.implementation for run in one.runs})
            if name not in has:
                raise NotComparable(f"no implementation {name!r} in the {where} record: it has {', '.join(has)}")


def _by_key(record: Record, shared: frozenset[str], which: str, renamed: Mapping[str, str]) -> dict[tuple[str, str], Run]:
    found: dict[tuple[str, str], Run] = {}
    for run in record.runs:
        name = renamed.get(run.implementation, run.implementation)
        key = (f"{name} ({run.source})" if run.implementation in shared else name, run.format)
        if key in found:
            raise NotComparable(f"{key[0]} in {key[1]} stands twice in the {which}")
        found[key] = run
    return found
