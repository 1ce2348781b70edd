"""The kernels of the language on balls. Where a ball is too wide for an operation its result is NaN, "not known".

What `oracle.enclosure` proves of softplus and sigmoid is used as it is; the rest is derived in docs/enclosures.md, section
"Other kernels".
"""

from __future__ import annotations

import numpy as np

from oracle import enclosure
from oracle.ball import DIVIDE_ERROR, Enclosure, Mask, exact, normalised, where
from oracle.doubledouble import Floats, divide_by_float, power_of_two
from oracle.expressions.nodes import Kernel
from oracle.kernel import exponential

_UP = 1 + 2.0**-50
EXP_ERROR = 2.0**-73
SERIES = 2.0**-8  # |x - 1| up to which log x is a series
LARGEST = 2.0**13


def unknown(shape: tuple[int, ...]) -> Enclosure:
    """NaN everywhere."""
    return exact(np.full(shape, np.nan))


def size(x: Enclosure) -> tuple[Floats, Floats]:
    """(least, most): float64 bounds of |x|; 0 and infinity beyond float64's range."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        head, power = np.abs(x.head), np.clip(x.exponent, -2000, 2000).astype(np.int32)
        least = np.ldexp(np.maximum(head / _UP - x.radius * _UP, 0.0), power)
        return least, np.ldexp((head + x.radius) * _UP, power) + 5e-324 * (head > 0)


def sign_known(x: Enclosure) -> Mask:
    """Where the ball does not hold 0, or is exactly 0."""
    return np.asarray((np.abs(x.head) > x.radius * _UP) | ((x.head == 0) & (x.radius == 0)))


def reciprocal(x: Enclosure) -> Enclosure:
    """1 / x = q (1 + r + r² + ...) with q near 1 / x and r = 1 - q x; of numbers of float64 one division of a double-double.

    NaN where the ball reaches 0.
    """
    usable = sign_known(x) & (x.head != 0) & np.isfinite(x.head)
    head = np.where(usable, x.head, 1.0)
    zero = np.zeros_like(head)
    if not (x.tail.any() or x.radius.any()):
        quotient, tail = divide_by_float((np.ones_like(head), zero), head)
        found = normalised(quotient, tail, -x.exponent, np.abs(quotient) * (DIVIDE_ERROR * _UP), special=zero)
        return found if usable.all() else where(usable, found, np.nan)
    with np.errstate(invalid="ignore"):
        q = normalised(1.0 / head, zero, -x.exponent, zero, special=zero)
        r = exact(1.0) - q * where(usable, x, 1.0)
    most = size(r)[1]
    usable &= most < 0.25
    rest = np.where(usable, 2 * most * most * most, 0.0)
    return where(usable, q * ((r * r + r + 1.0).widen(absolute=rest)), np.nan)


def exponential_of(x: Enclosure) -> Enclosure:
    """e**x; NaN where |x| may reach 2**13 or the ball is wider than 1/4."""
    scale = power_of_two(np.clip(x.exponent, -1022, 14))
    usable = np.isfinite(x.head) & (x.exponent <= 13) & (x.radius * scale < 0.25)
    sign = np.copysign(1.0, x.head)
    with np.errstate(under="ignore", invalid="ignore"):
        t, t_low, radius = (np.where(usable, part * scale, 0.0) for part in (x.head * sign, x.tail * sign, x.radius))
    (head, tail), k = exponential((t, t_low))
    wide = radius * (1 + radius)  # at least e**radius - 1, and 1 - e**-radius
    falling = normalised(head, tail, -k, head * ((EXP_ERROR + wide * (1 + EXP_ERROR)) * _UP), special=np.zeros_like(head))
    rising = x.head > 0
    result = where(rising, reciprocal(where(rising, falling, 1.0)), falling) if rising.any() else falling
    return where(usable, result, np.nan)


def _log1p_series(r: Enclosure) -> Enclosure:
    """log(1 + r) = 2 artanh(w), w = r / (2 + r), for |r| <= 2**-7: five terms, a remainder below 2**-83 of it."""
    w = r * reciprocal(r + 2.0)
    square = w * w
    total = square * (1 / 9) + exact(1.0).divided_by(7)
    total = (total.widen(absolute=2.0**-56)) * square + exact(1.0).divided_by(5)
    total = total * square + exact(1.0).divided_by(3)
    total = total * square + 1.0
    return (w * total * 2.0).widen(relative=2.0**-82)


def logarithm(x: Enclosure) -> Enclosure:
    """log x; near 1 the series, elsewhere log x = L + log(x e**-L) with a rough L. NaN where x is not surely positive."""
    usable = sign_known(x) & (x.head > 0) & np.isfinite(x.head)
    x = where(usable, x, 1.0)
    r = x - 1.0
    near = size(r)[1] < SERIES
    rough = np.where(near, 0.0, np.log(x.head) + x.exponent * 0.6931471805599453).astype(np.float32).astype(np.float64)
    power = np.clip(np.rint(rough / 0.6931471805599453), -(2**40), 2**40)
    reduced = where(near, r, _reduced(x, rough, power) - 1.0)
    small = size(reduced)[1] < 2.0**-7
    result = _log1p_series(where(small, reduced, 0.0)) + np.where(near, 0.0, rough)
    return where(usable & small, result, np.nan)


def _reduced(x: Enclosure, rough: Floats, power: Floats) -> Enclosure:
    """x e**-L, whatever the size of L: e**-L is e**-(L/2**k) squared k times."""
    del power
    inverse = exponential_of(exact(-np.clip(rough, -LARGEST / 2, LARGEST / 2)))
    return x * inverse


def expm1(x: Enclosure) -> Enclosure:
    """e**x - 1; for |x| < 2**-5 by Taylor's series to x**11, whose remainder is below 2**-86 of x."""
    small = size(x)[1] < 2.0**-5
    near = where(small, x, 0.0)
    total = exact(np.ones(x.shape))
    for n in range(11, 1, -1):
        total = (near * total).divided_by(n) + 1.0
    return where(small, (near * total).widen(relative=2.0**-82), exponential_of(where(small, 0.0, x)) - 1.0)


def log1mexp(x: Enclosure) -> Enclosure:
    """log(1 - e**x), x < 0: log of -expm1(x) for x > -1/2, else log1p(-e**x) where that is small, else the logarithm."""
    usable = sign_known(x) & (x.head < 0) & np.isfinite(x.head)
    x = where(usable, x, -1.0)
    y = exponential_of(x)
    tiny = (size(y)[1] < SERIES) & ~np.isnan(y.head)
    far = _log1p_series(where(tiny, -y, 0.0))
    return where(usable, where(tiny, far, logarithm(where(tiny, 1.0, -expm1(x)))), np.nan)


def odds(x: Enclosure) -> Enclosure:
    """e**x / (1 - e**x) = 1 / expm1(-x), x < 0."""
    usable = sign_known(x) & (x.head < 0) & np.isfinite(x.head)
    return where(usable, reciprocal(expm1(-where(usable, x, -1.0))), np.nan)


class Logistic:
    """Softplus, sigmoid and bump of x, by one evaluation of f = softplus(-|x|) and s = sigmoid(-|x|) <= 1/2: no cancellation.

    |x| is that of the centre: the identities hold for either sign, so a ball that holds 0 needs no care.
    """

    def __init__(self, x: Enclosure) -> None:
        self._x = x
        self._above = x.head > 0
        with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
            self._f, self._s = enclosure.kernel(abs(x))
        self._rest: Enclosure | None = None

    def of(self, kernel: Kernel, *, negative: bool) -> Enclosure:
        """The kernel of x, or of -x."""
        above = self._above != negative
        with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
            if kernel is Kernel.SOFTPLUS:
                return where(above, self._f + abs(self._x), self._f)
            if self._rest is None:
                self._rest = exact(1.0) - self._s
            return self._s * self._rest if kernel is Kernel.BUMP else where(above, self._rest, self._s)


LOGISTIC = (Kernel.SOFTPLUS, Kernel.SIGMOID, Kernel.BUMP)


def bump(x: Enclosure) -> Enclosure:
    """sigmoid(x) sigmoid(-x)."""
    return Logistic(x).of(Kernel.BUMP, negative=False)


def relu(x: Enclosure) -> Enclosure:
    """max(x, 0); NaN where the sign is open."""
    return where(sign_known(x), where(x.head > 0, x, 0.0), np.nan)


def step(x: Enclosure) -> Enclosure:
    """1 for x > 0, else 0; NaN where the sign is open."""
    return where(sign_known(x), np.where(x.head > 0, 1.0, 0.0), np.nan)


def apply(kernel: Kernel, x: Enclosure) -> Enclosure:
    """The kernel of finite balls; NaN where it is not known, and of NaN."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        if kernel is Kernel.SOFTPLUS:
            return enclosure.softplus_minus(-x)
        if kernel is Kernel.SIGMOID:
            return enclosure.sigmoid_minus(-x)
        if kernel is Kernel.SQUARE:
            return x * x
        return _KERNELS[kernel](x)


_KERNELS = {
    Kernel.BUMP: bump,
    Kernel.RELU: relu,
    Kernel.STEP: step,
    Kernel.EXP: exponential_of,
    Kernel.EXPM1: expm1,
    Kernel.LOG: logarithm,
    Kernel.LOG1MEXP: log1mexp,
    Kernel.ODDS: odds,
}
