"""Exact values at the edge cases of a clause: what the oracle says where the clause is most often violated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import oracle
from oracle import FORMATS, Real

Logps = tuple[float, float, float, float]
TUTORIAL: tuple[Logps, ...] = ((-45, -48, -46, -47), (-50, -52, -51, -51), (-48, -46, -49, -47), (-52, -55, -53, -54))
GOLDEN: tuple[Logps, ...] = ((-10, -12, -11, -11), (-20, -25, -19, -19), (-5, -9, -5, -5))
DIGITS = 20
TELLING = {fmt: math.ceil(1 + fmt.precision * math.log10(2)) for fmt in FORMATS}
"""As many decimal digits as tell each number of a format from its neighbours: 5, 4, 9, 17."""


@dataclass(frozen=True)
class Edge:
    """One input, in words, and what is exact there."""

    given: str
    quantity: str
    exact: Real

    def row(self) -> tuple[str, ...]:
        """The input, the exact value to 20 digits, and its correct rounding into each format."""
        return (self.given, shown(self.exact), *(_rounded(self.exact.round(fmt), TELLING[fmt]) for fmt in FORMATS))


HEAD = ("input", "exact, to 20 digits", *(fmt.name for fmt in FORMATS))


def shown(value: Real) -> str:
    """The value to 20 digits: the number itself where fewer say it all."""
    if value.exact is not None and math.isfinite(float(value)) and value.exact == round(float(value)):
        return str(value.exact).replace("-", "−")
    return value.digits(DIGITS).replace("-", "−")


def _rounded(value: float, digits: int = 10) -> str:
    told = f"{value:.{digits}g}" if math.isfinite(value) else str(value).replace("inf", "∞")
    return told.replace("-", "−")


def _options(beta: float, eps: float) -> str:
    return f"β = {_rounded(beta)}" + (f", ε = {_rounded(eps)}" if eps else "")


def _pair(logps: Logps, beta: float, eps: float) -> str:
    return f"({', '.join(_rounded(x) for x in logps)}), {_options(beta, eps)}"


def _fed(z: float) -> Logps:
    return (0.0, -z, 0.0, 0.0) if z >= 0 else (z, 0.0, 0.0, 0.0)


def _value(logps: Logps, beta: float = 0.1, eps: float = 0.0, given: str = "") -> Edge:
    return Edge(given or _pair(logps, beta, eps), "loss", _one(oracle.loss(*logps, beta=beta, label_smoothing=eps)))


def _slope(logps: Logps, beta: float = 0.1, eps: float = 0.0, given: str = "") -> Edge:
    slope = oracle.gradient(*logps, beta=beta, label_smoothing=eps).policy_chosen
    return Edge(given or _pair(logps, beta, eps), "∂ loss / ∂ policy_chosen_logps", _one(slope))


def _one(value: object) -> Real:
    assert isinstance(value, Real)
    return value


def _logits(of: Callable[..., Edge], logits: Iterable[float], eps: float = 0.0) -> list[Edge]:
    return [of(_fed(z), 1.0, eps, f"z = {_rounded(z)}" + (f", ε = {_rounded(eps)}" if eps else "")) for z in logits]


KERNEL = (0.0, 2.0**-10, 1.0, -1.0, 17.0, -17.0, 88.5, -88.5, -89.0, 104.0, 745.0, -745.0)
"""Around 0; where σ(z) rounds to 1 in binary32; where e^−z overflows there; where the loss underflows."""
TINY = (9.75, 16.0, 87.5, 90.0, 709.0, 720.0)
"""Losses about and below the smallest normal number of binary16, binary32 and bfloat16, and binary64."""
INF = math.inf


def _batch(rows: tuple[Logps, ...], eps: float) -> list[Edge]:
    columns = list(zip(*rows, strict=True))
    mean = oracle.mean(oracle.loss(*columns, beta=0.1, label_smoothing=eps))
    return [*(_value(row, 0.1, eps) for row in rows), Edge(f"all of them, {_options(0.1, eps)}", "mean loss", mean)]


def _metrics() -> list[Edge]:
    found = oracle.metrics(*zip(*TUTORIAL, strict=True))
    names = ("accuracy", "margin", "chosen_logratio", "rejected_logratio")
    return [Edge("the tutorial's four pairs", name, _one(getattr(found, name))) for name in names]


_PAIR: Logps = (-10, -12, -11, -11)
_SAME: Logps = (-10, -12, -10, -12)
_IMPOSSIBLE_CHOSEN: Logps = (-INF, -1, -1, -2)
_IMPOSSIBLE_REJECTED: Logps = (-1, -INF, -1, -2)
_LONG: Logps = (-20_000, -19_000, -19_968, -19_072)
_CANCELLING: Logps = (-1000, -1008, -1004, -1004)

_OF: dict[str, Callable[[], list[Edge]]] = {
    "DEF-1": lambda: [*_batch(TUTORIAL, 0.0), *_batch(TUTORIAL, 0.1)],
    "DEF-2": lambda: [*_batch(GOLDEN, 0.0), *_batch(GOLDEN, 0.1)],
    "DEF-3": lambda: _logits(_value, (17.0, 104.0, 745.0)),
    "DEF-4": lambda: [_value(_SAME, beta) for beta in (0.1, 1.0, 1000.0)],
    "DEF-6": lambda: _logits(_value, (1.0, -1.0, 17.0, -17.0)),
    "KERNEL-1": lambda: _logits(_value, KERNEL),
    "KERNEL-2": lambda: _logits(_slope, KERNEL),
    "KERNEL-3": lambda: _logits(_value, KERNEL),
    "KERNEL-4": lambda: _logits(_slope, KERNEL),
    "KERNEL-5": lambda: _logits(_value, TINY),
    "LOSS-1": lambda: [_value(_PAIR), _value(_LONG)],
    "LOSS-2": lambda: [_value(_CANCELLING, beta) for beta in (0.1, 1.0)],
    "LOSS-4": lambda: [_value(_CANCELLING, beta) for beta in (0.1, 1.0)],
    "GRAD-1": lambda: [_slope(_PAIR), _slope(_LONG)],
    "GRAD-2": lambda: [_slope(_CANCELLING, beta) for beta in (0.1, 1.0)],
    "GRAD-3": lambda: [_slope(_SAME, beta) for beta in (0.1, 1.0)],
    "GRAD-5": lambda: _logits(_slope, (17.0, -17.0, 88.5, -88.5)),
    "EXTREME-1": lambda: [_value(_LONG, 1000.0), _value(_PAIR, 1000.0)],
    "EXTREME-2": lambda: [_slope(_LONG, 1000.0), _slope(_PAIR, 1000.0)],
    "SMOOTH-1": lambda: [edge for eps in (0.1, 0.5) for edge in _logits(_value, (0.0, 1.0, -1.0, 104.0, -104.0), eps)],
    "SMOOTH-2": lambda: [edge for eps in (0.1, 0.5) for edge in _logits(_slope, (0.0, 1.0, -1.0, 104.0, -104.0), eps)],
    "SPECIAL-1": lambda: [_value(_IMPOSSIBLE_CHOSEN)],
    "SPECIAL-2": lambda: [_value(_IMPOSSIBLE_REJECTED)],
    "SPECIAL-3": lambda: [_value((math.nan, -12, -11, -11))],
    "SPECIAL-4": lambda: [_value((-INF, -12, -INF, -11))],
    "SPECIAL-5": lambda: [_slope(logps, beta) for beta in (1.0, 0.5) for logps in (_IMPOSSIBLE_CHOSEN, _IMPOSSIBLE_REJECTED)],
    "SPECIAL-6": lambda: [_value(_PAIR, 0.0), _slope(_PAIR, 0.0)],
    "SPECIAL-7": lambda: [_value(_IMPOSSIBLE_CHOSEN, 0.1, eps) for eps in (0.1, 0.5)],
    "SPECIAL-8": lambda: _logits(_value, (512.0, 8192.0)),
    "SPECIAL-9": lambda: [_value(_IMPOSSIBLE_REJECTED, 0.1, eps) for eps in (0.1, 0.5)],
    "OPTION-1": lambda: [_value(_PAIR, beta) for beta in (0.01, 0.1, 1.0)],
    "OPTION-2": lambda: [_value(_PAIR, 0.1, eps) for eps in (0.0, 0.1, 0.5)],
    "OPTION-3": lambda: [_value(_PAIR), _value((-10, -12, 0, 0))],
    "OPTION-4": lambda: [_value(_PAIR), _value((-12, -10, -11, -11))],
    "REDUCE-1": lambda: _batch(GOLDEN, 0.0),
    "REDUCE-3": lambda: [_value((math.nan, -12, -11, -11))],
    "METRIC-1": lambda: _metrics()[:1],
    "METRIC-2": lambda: _metrics()[1:],
}


def edges(clause: str) -> list[Edge]:
    """The edge cases of a clause; none where it is about conduct, not about a number."""
    return _OF.get(clause, list)()
