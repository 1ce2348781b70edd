"""A consumer of the vectors that knows the files and nothing of the code that made them.

It reads JSON, decodes bit patterns by struct, calls a function, and compares. The function takes four arrays of float64
that hold numbers of the format, beta, label_smoothing, and the format's name, and returns the losses and the four
derivatives in the log-probabilities; None for one that it does not have.
"""

from __future__ import annotations

import functools
import itertools
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[2] / "conformance" / "vectors"
INPUTS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
CHOSEN, REJECTED = "d_policy_chosen_logps", "d_policy_rejected_logps"
ANSWERS = ("loss", CHOSEN, REJECTED, REJECTED, CHOSEN)
"""Where the answers stand to what a function returns: the reference's are the policy's, exchanged."""
Function = Callable[..., tuple[Any, Any, Any, Any, Any]]


@dataclass(frozen=True)
class Rejected:
    """A test that was failed: its id, the quantity, what was got, and the answer in the file."""

    test: str
    flags: tuple[str, ...]
    quantity: str
    got: float
    answer: Any


def read() -> list[dict[str, Any]]:
    """All files."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]


@functools.cache
def decode(pattern: str, fmt: str) -> float:
    """The number with that bit pattern."""
    code, size = {"binary16": ("e", 2), "bfloat16": ("f", 4), "binary32": ("f", 4), "binary64": ("d", 8)}[fmt]
    bits = int(pattern, 16) << (16 if fmt == "bfloat16" else 0)
    (number,) = struct.unpack(f">{code}", bits.to_bytes(size, "big"))
    return float(number)


def accepts(answer: dict[str, Any], got: float, fmt: str) -> bool:
    """Whether the file accepts that result."""
    if "nan" in answer:
        return bool(np.isnan(got))
    inside = decode(answer["lowest"], fmt) <= got <= decode(answer["highest"], fmt)
    return inside or (answer["zero"] and got == 0)


def judge(function: Function, fmt: str, files: Sequence[dict[str, Any]], kind: str = "pair") -> Iterator[Rejected]:
    """What the tests of that kind reject in that format."""
    tests = [test for file in files if file["kind"] == kind for test in file["tests"] if fmt in test["formats"]]
    groups = _alike(tests) if kind == "pair" else ([test] for test in tests)
    for group in groups:
        yield from _judge(function, fmt, group)


def _alike(tests: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Tests with the same options, so that one call can answer them."""
    by_options: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for test in tests:
        by_options.setdefault((test["beta"]["bits"], test["label_smoothing"]["bits"]), []).append(test)
    yield from by_options.values()


def _judge(function: Function, fmt: str, group: list[dict[str, Any]]) -> Iterator[Rejected]:
    columns = [
        np.array([decode(bits, fmt) for test in group for bits in _listed(test["formats"][fmt]["inputs"][name])])
        for name in INPUTS
    ]
    options = [decode(group[0][name]["bits"], "binary64") for name in ("beta", "label_smoothing")]
    for name, results in zip(ANSWERS, function(*columns, *options, fmt), strict=True):
        if results is None:
            continue
        rest = iter(np.ravel(results))
        for test in group:
            pairs = 1 if name == "loss" else len(_listed(test["formats"][fmt]["inputs"][INPUTS[0]]))
            mine = [float(result) for result in itertools.islice(rest, pairs)]
            for answer, result in zip(_listed(test["formats"][fmt].get(name, [])), mine, strict=False):
                if not accepts(answer, result, fmt):
                    yield Rejected(test["id"], tuple(test["flags"]), name, result, answer)


def _listed(value: Any) -> list[Any]:
    """A batch's values, or a pair's one."""
    return value if isinstance(value, list) else [value]
