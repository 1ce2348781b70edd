"""Unstable ways to a log-sigmoid, each done as the format does it, operation by operation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oracle import Format, binary32
from oracle.bounds import Mask
from oracle.formats import Floats

STABLE = (
    "Compute the loss by a stable log-sigmoid: the library's own (torch.nn.functional.logsigmoid, jax.nn.log_sigmoid), or "
    "max(-z, 0) + log1p(exp(-|z|)); not log(sigmoid(z)), not log(1 + exp(-z)), no softplus with a threshold, no clamp."
)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Operations that round into a format after each."""

    fmt: Format

    def __call__(self, values: Floats | float) -> Floats:
        """The values, rounded."""
        with np.errstate(all="ignore"):
            return self.fmt.round_array(values)

    def sigmoid(self, x: Floats) -> Floats:
        """1 / (1 + exp(-x)), or the same by exp(x): stable."""
        y = self(np.exp(-np.abs(x)))
        return self(np.where(x >= 0, 1.0, y) / self(1 + y))

    def plain_sigmoid(self, x: Floats) -> Floats:
        """1 / (1 + exp(-x)), whose exponential may overflow."""
        return self(1 / self(1 + self(np.exp(-x))))

    def wide_sigmoid(self, x: Floats) -> Floats:
        """1 / (1 + exp(-x)) in binary32 or wider, rounded once."""
        return self(1 / (1 + binary32.round_array(np.exp(-x)))) if self.fmt.precision < 24 else self.plain_sigmoid(x)

    def softplus(self, x: Floats) -> Floats:
        """max(x, 0) + log1p(exp(-|x|))."""
        return self(np.maximum(x, 0) + self(np.log1p(self(np.exp(-np.abs(x))))))


Way = Callable[[Floats, Arithmetic], Floats]


@dataclass(frozen=True, slots=True)
class Unstable:
    """A way to softplus(x), x = -z, and the absolute size of its intermediate results, of which each rounding is one.

    exchanged: the way of the pair exchanged, under label smoothing, where it is another.
    """

    key: str
    says: str
    way: Way
    size: Callable[[Floats], Floats]
    exchanged: Way | None = None


def _one(x: Floats) -> Floats:
    return np.ones_like(x)


def _abs(x: Floats) -> Floats:
    return 1 + np.abs(x)


def _nothing(x: Floats) -> Floats:
    return np.zeros_like(x)


def _above(threshold: float, beyond: Callable[[Floats], Floats], *, up: bool) -> Way:
    """softplus, but something else beyond a threshold."""
    return lambda x, a: np.where(x > threshold if up else x < -threshold, beyond(x), a.softplus(x))


def _floored(least: float) -> Way:
    return lambda x, a: a(-np.log(np.maximum(a.sigmoid(-x), a(least))))


def _boxed(least: float) -> Way:
    return lambda x, a: a(-np.log(np.clip(a.sigmoid(-x), a(least), a(1 - least))))


def _of_the_rest(least: float) -> Way:
    """-log(1 - p + least), as the other order's of the same p."""
    return lambda x, a: a(-np.log(a(a(1 - a.sigmoid(x)) + a(least))))


def _clamped(limit: float) -> Way:
    return lambda x, a: a.softplus(np.clip(x, -limit, limit))


def _at_most(limit: float) -> Way:
    return lambda x, a: np.minimum(a.softplus(x), limit)


def _threshold(threshold: float) -> Way:
    return lambda x, a: np.where(x > threshold, x, a(np.log1p(a(np.exp(x)))))


def _quotient(sigmoid: Callable[[Arithmetic, Floats], Floats]) -> Way:
    def way(x: Floats, a: Arithmetic) -> Floats:
        s = sigmoid(a, -x)
        return a(a(s * a(1 - s)) / s)

    return way


def _difference(x: Floats, a: Arithmetic) -> Floats:
    """One-sided, with a step of 2^-14, as float64 does it."""
    step = 2.0**-14
    rise = np.maximum(x - step, 0) + np.log1p(np.exp(-np.abs(x - step))) - (np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
    return np.asarray(-rise / step)


_LEAST = ("1e-8", "1e-7", "1e-6", "1e-10", "1e-12", "1e-5", "1e-9", "1e-4", "1e-3", "1e-15", "1e-16", "1e-20", "1e-30")
"""What is added to a probability, or held below it, against a logarithm of 0."""
WAYS = (
    Unstable("log of sigmoid", "-log(sigmoid(z))", lambda x, a: a(-np.log(a.plain_sigmoid(-x))), _one),
    Unstable("log of sigmoid", "-log(sigmoid(z))", lambda x, a: a(-np.log(a.sigmoid(-x))), _one),
    *(
        Unstable(
            f"log(sigmoid + {least})",
            f"-log(sigmoid(z) + {least})",
            lambda x, a, least=least: a(-np.log(a(a.sigmoid(-x) + a(float(least))))),  # type: ignore[misc]
            _one,
            exchanged,
        )
        for least in _LEAST
        for exchanged in (None, _of_the_rest(float(least)))
    ),
    *(
        Unstable(f"log of clamped sigmoid, {float(least):g}", f"-log(max(sigmoid(z), {least}))", _floored(float(least)), _one)
        for least in _LEAST
    ),
    *(
        Unstable(
            f"log of sigmoid clamped on both sides, {float(least):g}",
            f"-log of sigmoid(z) clamped to [{least}, 1 - {least}]",
            _boxed(float(least)),
            _one,
        )
        for least in _LEAST
    ),
    *(
        Unstable(
            "binary cross entropy of sigmoid",
            "the binary cross entropy of sigmoid(z), its logarithms cut at -100",
            lambda x, a, s=sigmoid: np.minimum(a(-np.log(s(a, -x))), 100),  # type: ignore[misc]
            _one,
            lambda x, a, s=sigmoid: np.minimum(a(-np.log1p(-s(a, x))), 100),  # type: ignore[misc]
        )
        for sigmoid in (Arithmetic.plain_sigmoid, Arithmetic.wide_sigmoid)
    ),
    Unstable("log(1 + exp(-z))", "log(1 + exp(-z))", lambda x, a: a(np.log(a(1 + a(np.exp(x))))), _one),
    Unstable("log1p(exp(-z))", "log1p(exp(-z)), whose exponential overflows", lambda x, a: a(np.log1p(a(np.exp(x)))), _nothing),
    Unstable(
        "log for log1p",
        "max(-z, 0) + log(1 + exp(-|z|)), which absorbs the tail",
        lambda x, a: a(np.maximum(x, 0) + a(np.log(a(1 + a(np.exp(-np.abs(x))))))),
        _one,
    ),
    Unstable("difference of softplus", "softplus(z) - z, which cancels", lambda x, a: a(a.softplus(-x) + x), _abs),
    Unstable(
        "log of 2 cosh",
        "log(2 cosh(z / 2)) - z / 2, which overflows and cancels",
        lambda x, a: a(a(np.log(a(2 * a(np.cosh(x / 2))))) + a(x / 2)),
        _abs,
    ),
    Unstable(
        "log1p of tanh",
        "ln 2 - log1p(tanh(z / 2)), which cancels",
        lambda x, a: a(a(math.log(2)) - a(np.log1p(a(np.tanh(a(-x / 2)))))),
        lambda x: np.exp(np.minimum(np.abs(x), 700)),
    ),
    *(
        Unstable(
            f"softplus with threshold {t:g}",
            f"softplus(-z) with the threshold {t:g}, beyond which -z itself is returned",
            _threshold(t),
            _nothing,
        )
        for t in (20.0, 1000.0)
    ),
    *(
        Unstable(f"-z beyond {t:g}", f"-z itself where z < -{t:g}", _above(t, lambda x: x, up=True), _nothing)
        for t in (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0)
    ),
    *(
        Unstable(f"0 beyond {t:g}", f"0 where z > {t:g}", _above(t, _nothing, up=False), _nothing)
        for t in (3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 16.0, 20.0, 30.0, 40.0, 50.0)
    ),
    *(
        Unstable(f"logit clamped to {t:g}", f"the loss of a logit clamped to [-{t:g}, {t:g}]", _clamped(t), _nothing)
        for t in (10.0, 15.0, 20.0, 30.0, 50.0, 80.0, 88.0, 100.0)
    ),
    *(
        Unstable(f"loss clamped to {t:g}", f"the loss clamped to {t:g}", _at_most(t), _nothing)
        for t in (10.0, 20.0, 50.0, 100.0)
    ),
    Unstable(
        "exp(-z) in the tail",
        "exp(-z) in the place of log1p(exp(-z)) where z > 3",
        lambda x, a: np.where(x < -3, a(np.exp(np.minimum(x, 0))), a.softplus(x)),
        _nothing,
    ),
    Unstable(
        "series near 0",
        "ln 2 - z / 2 where |z| < 2^-10",
        lambda x, a: np.where(np.abs(x) < 2.0**-10, a(math.log(2) + x / 2), a.softplus(x)),
        _nothing,
    ),
)


SLOPES = (
    Unstable("1 - sigmoid(z)", "those by 1 - sigmoid(z), which cancels", lambda x, a: a(1 - a.sigmoid(-x)), _one),
    *(
        Unstable(
            "slope over sigmoid",
            "those by sigmoid(z) (1 - sigmoid(z)) / sigmoid(z), which cancels",
            _quotient(sigmoid),
            _one,
        )
        for sigmoid in (Arithmetic.sigmoid, Arithmetic.plain_sigmoid)
    ),
    Unstable(
        "sigmoid floored", "those with sigmoid(-z) held above 1e-3", lambda x, a: np.maximum(a.sigmoid(x), a(1e-3)), _nothing
    ),
    Unstable(
        "finite difference", "those of a finite difference, not the derivative", _difference, lambda x: np.full_like(x, 2.0**14)
    ),
)
"""Unstable ways to sigma(x), x = -z: the derivative without label smoothing and its sign."""


_CONTRARY = 3


def score(
    unstable: Unstable, z: Floats, eps: Floats, got: Floats, wrong: Mask, fmt: Format, *, slopes: bool = False
) -> int | None:
    """How many numbers are left unexplained of losses (or slopes) that an unstable way gives; None where it does not.

    It has to give every wrong number, and nearly all others, within a few of its roundings, and to be closer to what was
    got than the exact value is at most of the wrong ones. Numbers that it would get wrong by far, and that are right, speak
    against it, but for a few at its thresholds.
    """
    a = Arithmetic(fmt)
    with np.errstate(all="ignore"):
        lost, won = unstable.way(-z, a), (unstable.exchanged or unstable.way)(z, a)
        mixed = lost - eps if slopes else np.where(eps == 0, lost, (1 - eps) * lost + eps * won)
        room = (
            10 * fmt.unit_roundoff * (unstable.size(z) + np.abs(lost) + np.where(eps == 0, 0, np.abs(won)))
            + 16 * fmt.smallest_normal
        )
        exact = (1 / (1 + np.exp(z)) - eps) if slopes else np.logaddexp(0, -z) + eps * z
        distance = np.abs(got - mixed)
        minus = ~slopes & (got == 0) & (eps == 0) & np.signbit(got) & ~np.signbit(mixed)
        same = ((distance <= room) | (got == mixed) | (np.isnan(got) & np.isnan(mixed))) & ~minus
        # on either side of a threshold an exponential, rounded otherwise, is still finite, or no longer
        for step in (-1, 1):
            other = unstable.way(-fmt.round_array(z * (1 + 2 * step * fmt.unit_roundoff)), a)
            same |= (eps == 0) & ~minus & ((got == other) | (np.abs(got - other) <= room))
        error = np.abs(got - exact)
        close = (
            (got == mixed)
            | (np.isnan(got) & np.isnan(mixed))
            | (distance <= error / 2 + 16 * fmt.unit_roundoff * np.abs(mixed))
        )
        u = fmt.unit_roundoff
        near = error <= 8 * u * np.abs(exact)
        contrary = near & (np.abs(mixed - exact) > 64 * u * np.abs(exact) + 16 * fmt.smallest_normal)
        if not same[wrong].all() or same.mean() < 0.99 or close[wrong].mean() < 0.5:
            return None
        if near[wrong].all() or np.count_nonzero(contrary) > _CONTRARY:
            return None
    return int(np.count_nonzero(~close) + np.count_nonzero(~same))
