"""Infinite and NaN log-probabilities, and the zeros."""

from __future__ import annotations

import itertools
import math

from conformance.inputs.batch import NAMES
from conformance.vectorgen.model import Chapter, Logps, Vector, pair

_ROWS: tuple[Logps, ...] = ((-12.0, -15.0, -11.0, -14.0), (-3.0, -2.0, -7.0, -1.0))
_INF, _NAN = math.inf, math.nan
_CHOSEN, _REJECTED = (0, 3), (1, 2)
"""The places whose -inf makes z = -inf, and z = +inf."""


def _put(row: Logps, value: float, *places: int) -> Logps:
    pc, pr, rc, rr = (value if place in places else x for place, x in enumerate(row))
    return pc, pr, rc, rr


def _infinite() -> list[Vector]:
    made = []
    for (n, row), place in itertools.product(enumerate(_ROWS, 1), range(4)):
        name, won = NAMES[place], place in _REJECTED
        flags = ["ImpossibleRejected" if won else "ImpossibleChosen"]
        flags += ["InfiniteGradient"] if place < 2 else []
        made.append(pair(f"{name} is -inf, pair {n}", *flags, logps=_put(row, -_INF, place), beta=(0.1, 0.5)[n - 1]))
    return made


def _smoothed() -> list[Vector]:
    return [
        pair(f"{NAMES[place]} is -inf, eps {eps:g}", "SmoothedInfinity", logps=_put(row, -_INF, place), eps=eps)
        for (row, eps), place in itertools.product(zip(_ROWS, (0.1, 0.5), strict=True), _REJECTED)
    ]


def _nan() -> list[Vector]:
    made = [
        pair(f"{NAMES[place]} is NaN, pair {n}", "NanBecomesNumber", logps=_put(row, _NAN, place))
        for (n, row), place in itertools.product(enumerate(_ROWS, 1), range(4))
    ]
    made += [
        pair(f"{NAMES[place]} is NaN, eps 0.1", "NanBecomesNumber", logps=_put(_ROWS[0], _NAN, place), eps=0.1)
        for place in range(4)
    ]
    made.append(pair("all four are NaN", "NanBecomesNumber", logps=(_NAN, _NAN, _NAN, _NAN)))
    return made


def _undefined() -> list[Vector]:
    both = ((0, 2), (1, 3), (0, 1), (2, 3))
    return [
        pair(f"{NAMES[i]} and {NAMES[j]} are -inf", "InfinityMinusInfinity", logps=_put(_ROWS[0], -_INF, i, j)) for i, j in both
    ]


CHAPTER = Chapter(
    "special",
    "Infinite and NaN log-probabilities: the loss is the limit, or NaN where there is none. Code that refuses such inputs by "
    "an error gives no wrong answer. Left out is z = -inf under smoothing, where right formulas differ.",
    (
        *_infinite(),
        *_smoothed(),
        *_nan(),
        *_undefined(),
        pair("all four are -0", "SignOfZero", logps=(-0.0, -0.0, -0.0, -0.0), beta=1.0),
        pair("the chosen policy is -0, the rest 0: a logit of -0", "SignOfZero", logps=(-0.0, 0.0, 0.0, 0.0), beta=1.0),
        pair("the rejected reference is -0, the rest 0", "SignOfZero", logps=(0.0, 0.0, 0.0, -0.0), beta=1.0),
        pair("the rejected side is -0, a logit of 1", "SignOfZero", logps=(0.0, -1.0, 0.0, -0.0), beta=1.0),
    ),
)
