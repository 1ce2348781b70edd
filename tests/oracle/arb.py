"""A second opinion on the oracle: the same quantities from Arb (python-flint), rounded by integers written apart.

Nothing here imports the oracle. The route differs wherever it can: the margin is (pc - pr) - (rc - rr); the smoothed
loss is the two-term definition (1 - eps) log1p(exp(-z)) + eps log1p(exp(z)), not the collapsed one; the slope is
eps sigma(z) - (1 - eps) sigma(-z); the second derivative is sech(z/2)**2 / 4; rounding counts bit patterns instead of
scaling values.

Arb gives balls that hold the true value. Both ends of a ball are rounded; where they differ the precision goes up, from
128 to 512, 2048 and 8192 bits. Where |z| > 1024, what is left undecided (a midpoint trap, or a ball without bounds
because |z| is beyond any exponential) is settled without evaluating anything: with a = |z| > 1024 both softplus(a) - a
and sigma(-a) lie strictly between 0 and 2**-a, so the quantity lies strictly on one side of an exact dyadic number, at
a distance below 2**-1000 times a known factor.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flint import arb, ctx, fmpq

Dyad = tuple[int, int]
"""(m, e) for m * 2**e."""

PRECISIONS = (128, 512, 2048, 8192)


@dataclass(frozen=True)
class Shape:
    """A format as IEEE 754 tables state it, and struct's letter for it (bfloat16 is the upper half of an 'f')."""

    name: str
    precision: int
    emin: int
    emax: int
    width: int
    letter: str

    @property
    def infinity(self) -> int:
        """The bit pattern of +inf: the exponent field all ones."""
        return (self.emax - self.emin + 2) << (self.precision - 1)

    def decode(self, pattern: int) -> float:
        """The value of one bit pattern."""
        wide = pattern << 16 if self.name == "bfloat16" else pattern
        size = 4 if self.name == "bfloat16" else self.width // 8
        return float(struct.unpack("<" + self.letter, wide.to_bytes(size, "little"))[0])


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("binary16", 11, -14, 15, 16, "e"),
        Shape("bfloat16", 8, -126, 127, 16, "f"),
        Shape("binary32", 24, -126, 127, 32, "f"),
        Shape("binary64", 53, -1022, 1023, 64, "d"),
    )
}


def pattern(shape: Shape, value: Dyad, nudge: int = 0) -> int:
    """The bit pattern of m * 2**e rounded to nearest even; nudge = +-1 says the truth is infinitely little above/below.

    Bit patterns of positive numbers count upward through subnormals, binades and infinity, so a carry needs no care.
    """
    man, exp = value
    negative = man < 0 or (man == 0 and nudge < 0)
    man, nudge = (-man, -nudge) if negative else (man, nudge)
    sign = int(negative) << (shape.width - 1)
    if man == 0:
        return sign
    size = man.bit_length()
    binade = max(exp + size - 1, shape.emin)
    if binade > shape.emax:
        return sign | shape.infinity
    drop = binade - shape.precision + 1 - exp
    if drop <= 0:
        count = man << -drop
    elif drop > size + 1:
        count = 0
    else:
        count, rest = divmod(man, 1 << drop)
        excess = 2 * rest - (1 << drop)
        if excess > 0 or (excess == 0 and (nudge > 0 or (nudge == 0 and count % 2 == 1))):
            count += 1
    return sign | min(count + ((binade - shape.emin) << (shape.precision - 1)), shape.infinity)


def dyad(value: fmpq) -> Dyad:
    """A rational with a power of two below the line, as (m, e)."""
    denominator = int(value.q)
    assert denominator & (denominator - 1) == 0, "inputs are dyadic, and so are their products"
    return int(value.p), 1 - denominator.bit_length()


def rational(value: float) -> fmpq:
    """The exact value of a float."""
    return fmpq(*value.as_integer_ratio())


def ends(ball: arb) -> tuple[Dyad, Dyad] | None:
    """Exact dyadic ends of a ball; None for a ball without bounds."""
    if not ball.is_finite():
        return None
    mid, mid_exp = map(int, ball.mid().man_exp())
    rad, rad_exp = map(int, ball.rad().man_exp())
    if rad == 0:
        return (mid, mid_exp), (mid, mid_exp)
    if mid == 0:
        return (-rad, rad_exp), (rad, rad_exp)
    low = min(mid_exp, rad_exp)
    mid, rad = mid << (mid_exp - low), rad << (rad_exp - low)
    return (mid - rad, low), (mid + rad, low)


@dataclass(frozen=True)
class Quantity:
    """One quantity of one pair: as a ball at the working precision, or exactly, or as a one-sided limit.

    `limit` is (r, c): for |z| > 1024 the quantity is r + c * s with 0 < s < 2**-|z|, r and c exact.
    """

    ball: Callable[[], arb]
    limit: tuple[fmpq, fmpq]
    exact: fmpq | None = None


class Pair:
    """One pair with float inputs; z and margin are exact."""

    def __init__(self, pc: float, pr: float, rc: float, rr: float, beta: float, eps: float) -> None:
        self.margin = (rational(pc) - rational(pr)) - (rational(rc) - rational(rr))
        self.beta = rational(beta)
        self.eps = rational(eps)
        self.z = self.beta * self.margin

    def loss(self) -> Quantity:
        """(1 - eps) softplus(-z) + eps softplus(z)."""
        limit = (1 - self.eps) * max(-self.z, fmpq(0)) + self.eps * max(self.z, fmpq(0))

        def ball() -> arb:
            z = arb(self.z)
            chosen = (-z).exp().log1p() if self.eps != 1 else arb(0)
            rejected = z.exp().log1p() if self.eps != 0 else arb(0)
            return arb(1 - self.eps) * chosen + arb(self.eps) * rejected

        return Quantity(ball, (limit, fmpq(1)))

    def slope(self, factor: fmpq) -> Quantity:
        """factor * d loss / dz; the factor is beta for the policy's gradient and the margin for beta's."""
        if factor == 0 or self.z == 0:
            return Quantity(lambda: arb(0), (fmpq(0), fmpq(0)), factor * (self.eps - fmpq(1, 2)))
        limit = (factor * self.eps, -factor) if self.z > 0 else (factor * (self.eps - 1), factor)

        def ball() -> arb:
            z = arb(self.z)
            up = arb(self.eps) / (1 + (-z).exp()) if self.eps != 0 else arb(0)
            down = arb(1 - self.eps) / (1 + z.exp()) if self.eps != 1 else arb(0)
            return arb(factor) * (up - down)

        return Quantity(ball, limit)

    def policy_gradient(self) -> Quantity:
        """The derivative in policy_chosen_logps."""
        return self.slope(self.beta)

    def beta_derivative(self) -> Quantity:
        """The derivative in beta."""
        return self.slope(self.margin)

    def second_derivative(self) -> Quantity:
        """sigma(z) sigma(-z)."""
        exact = fmpq(1, 4) if self.z == 0 else None
        return Quantity(lambda: (arb(self.z) / 2).sech() ** 2 / 4, (fmpq(0), fmpq(1)), exact)


def rounded(quantity: Quantity, z: fmpq, shape: Shape) -> tuple[int, str]:
    """The bit pattern of the correctly rounded quantity, and how it was decided."""
    if quantity.exact is not None:
        return pattern(shape, dyad(quantity.exact)), "exact"
    size = abs(z)
    for precision in PRECISIONS if size < 2**20 else ():
        if precision > PRECISIONS[1] and size > 2**14:
            break  # no ball of this precision resolves exp(-|z|) beside |z|
        with ctx.workprec(precision):
            bounds = ends(quantity.ball())
        if bounds is not None:
            low, high = (pattern(shape, end) for end in bounds)
            if low == high:
                return low, str(precision)
    assert size > 1024, "undecided at the highest precision"
    base, factor = quantity.limit
    side = 1 if factor > 0 else -1
    # |factor| * 2**-|z| < 2**-(|z| - bits); |z| may be 1e600, so cap the exponent: a wider interval is still right
    bits = max(0, int(factor.p).bit_length() - int(factor.q).bit_length() + 1)
    depth = min(int(size.p // size.q), 5000) - bits
    near = dyad(base)
    far = dyad(base + side * fmpq(1, 2**depth)) if depth >= 0 else dyad(base + side * fmpq(2**-depth))
    first, last = pattern(shape, near, side), pattern(shape, far, -side)
    assert first == last, "undecided by the limit"
    return first, "limit"


def correctly_rounded(shape: Shape, rows: Iterator[tuple[float, ...]], name: str) -> Iterator[tuple[float, str]]:
    """For each row (pc, pr, rc, rr, beta, eps), the named quantity of Pair rounded into the format."""
    for row in rows:
        pair = Pair(*row)
        bits, how = rounded(getattr(pair, name)(), pair.z, shape)
        yield shape.decode(bits), how
