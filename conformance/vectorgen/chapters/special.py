"""Infinite and NaN log-probabilities, and the zeros."""

from __future__ import annotations

import itertools
import math

from conformance.inputs.batch import NAMES
from conformance.vectorgen.model import Chapter, Logps, Vector, pair
from conformance.vectorgen.notes import note

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


NOTES = {
    "ImpossibleChosen": note(
        "special value",
        "z = -inf, and the loss is not +inf: what is not finite became 0, or the largest number.",
        "The worst pair of the batch counts as the best, and a broken model trains in silence.",
        "huggingface/trl/issues/2553",
        "pytorch/pytorch/issues/20972",
    ),
    "ImpossibleRejected": note(
        "special value",
        "z = +inf, and the loss is NaN: 0 * inf, from a mixture that is computed at label smoothing 0 too.",
        "A rejected response that the policy finds impossible, the aim of training, turns the batch into NaN.",
        "huggingface/trl/issues/1199",
    ),
    "NanBecomesNumber": note(
        "special value",
        "A NaN log-probability gives a number, by nan_to_num, a comparison, or a maximum.",
        "A loss of 0.0 or 0.6931 over NaN log-probabilities hides a broken model from everyone who watches the loss.",
        "huggingface/trl/issues/1199",
        "modelscope/ms-swift/issues/5418",
    ),
    "InfinityMinusInfinity": note(
        "special value",
        "A margin of inf - inf gives a number.",
        "A response that policy and reference both find impossible is scored as if its loss were known.",
        "OpenRLHF/OpenRLHF/issues/1240",
        "allenai/open-instruct/pull/1685",
    ),
    "InfiniteGradient": note(
        "special value",
        "At an infinite logit the derivative is NaN, where its limit, 0 or beta, is due.",
        "The loss is right, and one impossible response turns every weight into NaN.",
        "pytorch/pytorch/issues/20972",
        "mst272/LLM-Dojo/issues/23",
    ),
    "SignOfZero": note(
        "special value",
        "A branch goes by the sign bit, so that -0 is taken for a negative number.",
        "Policy and reference agree and the loss is infinite or 0, depending on which was subtracted first.",
    ),
}

CHAPTER = Chapter(
    "special",
    "Infinite and NaN log-probabilities: the loss is the limit, or NaN where there is none. Code that refuses such inputs by "
    "an error gives no wrong answer. Left out is an infinite logit under smoothing, where right formulas differ.",
    (
        *_infinite(),
        *_nan(),
        *_undefined(),
        pair("all four are -0", logps=(-0.0, -0.0, -0.0, -0.0), beta=1.0),
        pair("the chosen policy is -0, the rest 0: a logit of -0", "SignOfZero", logps=(-0.0, 0.0, 0.0, 0.0), beta=1.0),
        pair("the rejected reference is -0, the rest 0", logps=(0.0, 0.0, 0.0, -0.0), beta=1.0),
        pair("the rejected side is -0, a logit of 1", logps=(0.0, -1.0, 0.0, -0.0), beta=1.0),
    ),
)
