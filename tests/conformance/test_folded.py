"""A batch that repeats its pairs is written once, read whole, and asked whole by the snippet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conformance import judge
from conformance.clauses.registry import select
from conformance.implementations import numpy_implementation
from conformance.records.folded import WHOLE, Folded, folded
from conformance.records.record import Run, Verdict, Worst, read
from conformance.reports import words

FEW = ["0x1.0p+0", "-0x1.0p+1", "inf", "nan"]
PERIODS = {n: [FEW[i % n] for i in range(41)] for n in (1, 2, 3, 4)}
LISTS = {
    **{f"in turn, {n}": row for n, row in PERIODS.items()},
    "times": [FEW[0]] * 9 + [FEW[1]] + [FEW[0]] * 20,
    "small": FEW[:1] * WHOLE,
    "unlike": [float(i).hex() for i in range(40)],
    "none": [],
}


@pytest.mark.parametrize("row", LISTS.values(), ids=LISTS)
def test_what_is_folded_is_whole_again(row: list[str]) -> None:
    inputs = {"policy_chosen_logps": tuple(row), "policy_rejected_logps": tuple(row[::-1])}
    told = json.loads(json.dumps(folded(inputs).plain()))
    assert Folded(told.pop("inputs"), **told).whole == inputs


def test_only_what_repeats_is_folded() -> None:
    kept = {name: folded({"x": tuple(row)}) for name, row in LISTS.items()}
    assert [(len(few.inputs["x"]), few.pairs, few.times) for few in kept.values()] == [
        *((n, 41, ()) for n in PERIODS),
        (3, 0, (9, 1, 20)),
        (WHOLE, 0, ()),
        (40, 0, ()),
        (0, 0, ()),
    ]


def _doubled_from(size: int) -> object:
    @numpy_implementation(reduction="mean", name="mine", options=("beta",))
    def mean(pc, pr, rc, rr, beta, eps):  # type: ignore[no-untyped-def]
        z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
        found = np.mean(np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z))))
        return found * 2 if len(pc) >= size else found

    return mean


def test_a_mean_of_many_pairs_makes_a_small_record_that_is_the_same_record(tmp_path: Path) -> None:
    record = judge(_doubled_from(8_193), dtypes=["binary32"], clauses=select(["REDUCE-10"]), isolate=False)
    (worst,) = [finding.worst for finding in record.runs[0].findings]
    assert worst is not None
    assert len(worst.inputs["ref_chosen_logps"]) == 8_193
    path = tmp_path / "record.json"
    record.write(path)
    assert path.stat().st_size < 10_000
    assert read(path).runs == record.runs
    assert len("\n".join(words.snippet(record.runs[0], worst))) < 2_000


@pytest.mark.parametrize("row", [row for row in LISTS.values() if row], ids=[name for name in LISTS if LISTS[name]])
def test_the_snippet_asks_for_every_pair(row: list[str]) -> None:
    inputs = {name: tuple(row) for name in words.LOGPS}
    worst = Worst("mean loss", inputs, "0x1p-1", "0x0p+0", "0x1p+0", "1", "0x1p+0", 0.0, 0.0)
    lines = words.snippet(Run("mine", "", "binary32", "quick", Verdict.CONFORMS), worst)
    given: dict[str, object] = {}
    exec("\n".join(line for line in lines if line.startswith("pairs")), given)
    assert np.array_equal(given["pairs"], [[float.fromhex(x) for x in row]] * 4, equal_nan=True)
