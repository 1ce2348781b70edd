"""What -log(sigmoid(z)) does when every operation is correctly rounded: exact models, and the thresholds they predict.

Models, definitions and proofs are in docs/gap.md. Logits are numbers of the format; "first" is nearest to 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from oracle import Format, Real, binary32


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every logit on one side of 0 (side = 1: z > 0, -1: z < 0), and where docs/gap.md answers it."""

    key: str
    title: str
    side: int
    anchor: str


QUESTIONS = (
    Question("loss-errs-above", "loss errs by more than 1 ulp, z > 0", 1, "gap.md#more-than-1-ulp"),
    Question("loss-errs-below", "loss errs by more than 1 ulp, z < 0", -1, "gap.md#more-than-1-ulp"),
    Question("loss-zero", "loss is 0", 1, "gap.md#loss-0"),
    Question("loss-infinite", "loss is inf", -1, "gap.md#loss-infinite"),
    Question("gradient-zero", "gradient is 0", 1, "gap.md#gradient"),
    Question("gradient-infinite", "gradient is inf", -1, "gap.md#gradient"),
    Question("gradient-nan", "gradient is NaN", -1, "gap.md#gradient"),
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The first logit under a model, a number of the format; None where the model has none."""

    model: str
    logit: float | None


# -- the models: which sigmoid, then a correctly rounded log -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """-log(s) in `target`, each operation correctly rounded; s is sigma(z), or 1 / (1 + exp(-z)) in `working`."""

    name: str
    target: Format
    working: Format | None

    def sigmoid(self, z: float) -> float:
        """S: a number of `target`, non-decreasing in z because every step is."""
        return _sigmoid(self, z)

    def loss(self, z: float) -> float:
        """-log(s) rounded; 0 at s = 1, inf at s = 0."""
        return _minus_log(self, self.sigmoid(z))

    def errs(self, z: float) -> bool:
        """Whether the loss is off by more than 1 ulp, exactly; for |z| <= 0.4, where the ulp of the exact loss is 2**-p."""
        error, ulp = Real.softplus(Fraction(-z)) - Fraction(self.loss(z)), Fraction(1, 2**self.target.precision)
        return (error - ulp).sign > 0 or (error + ulp).sign < 0

    def reciprocal(self, z: float) -> float:
        """1 / s rounded: the factor that the derivative of the log contributes."""
        s = self.sigmoid(z)
        return math.inf if s == 0 else self.target.round_exact(1 / Fraction(s))


def models(fmt: Format) -> tuple[Model, ...]:
    """The quotient in the format, the quotient in binary32 rounded to a 16-bit format, and the rounded sigmoid."""
    wide = (Model("quotient32", fmt, binary32),) if fmt.width == 16 else ()
    return (Model("quotient", fmt, fmt), *wide, Model("sigmoid", fmt, None))


@functools.lru_cache(maxsize=100_000)
def _minus_log(model: Model, s: float) -> float:
    if s in {0.0, 1.0}:
        return math.inf if s == 0 else 0.0
    odds = Fraction(s) / (1 + Fraction(s))  # -log(s) > m  <=>  s < e**-m  <=>  odds < sigma(-m)
    return _rounded(-math.log(s), lambda m: (Real.sigmoid(-m) - odds).sign > 0, model.target)


@functools.lru_cache(maxsize=100_000)
def _sigmoid(model: Model, z: float) -> float:
    x = Fraction(z)
    if model.working is None:
        return Real.sigmoid(x).round(model.target)
    working = model.working
    try:
        guess = math.exp(-z)
    except OverflowError:
        guess = math.inf
    sigma = Real.sigmoid(-x)  # e**-z > m  <=>  sigma(-z) > m / (1 + m)
    exponential = _rounded(guess, lambda m: (sigma - m / (1 + m)).sign > 0, working)
    whole = math.inf if math.isinf(exponential) else working.round_exact(1 + Fraction(exponential))
    return 0.0 if math.isinf(whole) else model.target.round_exact(Fraction(working.round_exact(1 / Fraction(whole))))


def _rounded(guess: float, above: Callable[[Fraction], bool], fmt: Format) -> float:
    """The positive real x, never at a midpoint, rounded to nearest; above(m) says exactly whether x > m."""
    place = int(fmt.ordinals(fmt.round_array(guess)))
    while not math.isinf(number(fmt, place)) and above(_midpoint(fmt, place)):
        place += 1
    while place > 0 and not above(_midpoint(fmt, place - 1)):
        place -= 1
    return number(fmt, place)


def _midpoint(fmt: Format, place: int) -> Fraction:
    """Between the numbers at place and place + 1; with infinity read as 2**(emax + 1), the overflow threshold."""
    low, high = number(fmt, place), number(fmt, place + 1)
    return (Fraction(low) + (Fraction(2) ** (fmt.emax + 1) if math.isinf(high) else Fraction(high))) / 2


@functools.lru_cache(maxsize=100_000)
def number(fmt: Format, place: int) -> float:
    """The number of the format at that place in its order."""
    return float(fmt.from_ordinals(place))


# -- predicted ---------------------------------------------------------------------------------------------------------


def predict(fmt: Format) -> dict[str, tuple[Prediction, ...]]:
    """For each question's key, the first logit under each model; exact, and proved to be the first in docs/gap.md."""
    return {
        question.key: tuple(Prediction(model.name, _PREDICTORS[question.key](model)) for model in models(fmt))
        for question in QUESTIONS
    }


_BEND = 0.4


def near(fmt: Format) -> int:
    """The place of 2**-(p + 8): between it and 0 the loss is within 2**-8 ulp of log 2, and the models give that."""
    return int(fmt.ordinals(math.ldexp(1.0, -fmt.precision - 8)))


def far(fmt: Format) -> int:
    """The place of 2 (p - emin): every model's sigmoid is 0 or 1 beyond."""
    return int(fmt.ordinals(fmt.round_array(2.0 * (fmt.precision - fmt.emin))))


def first_place(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The least place in (low, high] where a monotone predicate holds; it does not at low and does at high."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _first_logit(fmt: Format, side: int, holds: Callable[[float], bool]) -> float:
    return side * number(fmt, first_place(lambda i: holds(side * number(fmt, i)), near(fmt), far(fmt)))


def _saturates(model: Model) -> float:
    return _first_logit(model.target, 1, lambda z: model.sigmoid(z) == 1)


def _vanishes(model: Model) -> float:
    return _first_logit(model.target, -1, lambda z: model.sigmoid(z) == 0)


def _reciprocal_overflows(model: Model) -> float | None:
    z = _first_logit(model.target, -1, lambda z: math.isinf(model.reciprocal(z)))
    return z if model.sigmoid(z) > 0 else None


def _errs_above(model: Model) -> float | None:
    return _errs_by_walking(model, 1)


def _errs_below(model: Model) -> float | None:
    return _errs_by_walking(model, -1) if model.working is not None else _errs_by_crossing(model)


def _errs_by_walking(model: Model, side: int) -> float | None:
    """Cell after cell of equal sigmoids, outward from 0, as far as |z| = 0.4 (there 1/2 < loss < 1): exact."""
    fmt, start = model.target, near(model.target)
    while number(fmt, start) < _BEND:
        value, step = model.sigmoid(side * number(fmt, start)), 1
        leaves = functools.partial(_differs, model, side, value)
        while not leaves(start + step):
            step *= 2
        end = first_place(leaves, start + step // 2, start + step) - 1
        found = _errs_in_cell(model, side, start, end)
        if found is not None:
            return found
        start = end + 1
    return None


def _differs(model: Model, side: int, value: float, place: int) -> bool:
    return model.sigmoid(side * number(model.target, place)) != value


def _errs_in_cell(model: Model, side: int, start: int, end: int) -> float | None:
    """The first error in a cell: one computed loss, and an exact one that is monotone, so an end errs if any does."""

    def errs(place: int) -> bool:
        return model.errs(side * number(model.target, place))

    if errs(start):
        return side * number(model.target, start)
    return side * number(model.target, first_place(errs, start, end)) if errs(end) else None


def _errs_by_crossing(model: Model) -> float | None:
    """z < 0, s = RN(sigma(z)) = 1/2 - k h: only cells beside a step of the rounded log can err (docs/gap.md)."""
    steps = 2 ** (model.target.precision - 3)
    crossing, jump = 1, 0
    while crossing < steps:
        for k in (crossing - 1, crossing):
            found = _errs_in_cell(model, -1, *_cell(model, k))
            if found is not None:
                return found
        jump += 1
        reaches = functools.partial(_reaches, model, jump)
        crossing = first_place(reaches, 0, steps)
    return None


def _half_less(model: Model, k: int) -> float:
    """s = 1/2 - k h with h = 2**-(p + 1), the spacing of the numbers in [1/4, 1/2]."""
    return 0.5 - math.ldexp(k, -model.target.precision - 1)


def _reaches(model: Model, jump: int, k: int) -> bool:
    """Whether the rounded -log(1/2 - k h) exceeds the rounded log 2 by at least k + jump ulps."""
    p = model.target.precision
    return Fraction(_minus_log(model, _half_less(model, k))) - Fraction(_minus_log(model, 0.5)) >= Fraction(k + jump, 2**p)


def _cell(model: Model, k: int) -> tuple[int, int]:
    """The first and the last place of |z|, z < 0, with sigmoid 1/2 - k h; cell 0 begins at `near`."""
    fmt, s = model.target, _half_less(model, k)
    low, high = near(fmt), int(fmt.ordinals(1.0))
    start = first_place(lambda i: model.sigmoid(-number(fmt, i)) <= s, low, high) if k else low
    return start, first_place(lambda i: model.sigmoid(-number(fmt, i)) < s, low, high) - 1


_PREDICTORS: dict[str, Callable[[Model], float | None]] = {
    "loss-errs-above": _errs_above,
    "loss-errs-below": _errs_below,
    "loss-zero": _saturates,
    "loss-infinite": _vanishes,
    "gradient-zero": _saturates,
    "gradient-infinite": _reciprocal_overflows,
    "gradient-nan": _vanishes,
}
