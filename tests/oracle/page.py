"""The bounds as docs/bounds.md states them, read once more: one pair at a time, in 200 bits, with no slack and no array.

The intervals of `oracle.bounds` must be these, at most 2**-38 wider: a constant that is larger than the derived one
shows as much as one that is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

from mpmath import mp as _mp

from oracle import Format

mp = _mp.clone()
mp.prec = 200
Number = Any  # an mpf


@cache
def real(x: Fraction | float) -> Number:
    x = Fraction(x)
    return mp.mpf(x.numerator) / x.denominator


@cache
def f(z: Number) -> Number:
    return mp.log1p(mp.exp(-z)) if z > 0 else -z + mp.log1p(mp.exp(z))


@cache
def s(z: Number) -> Number:
    return 1 / (1 + mp.exp(z))


@dataclass(frozen=True)
class Page:
    """The page's quantities for one pair in one format."""

    fmt: Format
    logps: tuple[float, float, float, float]
    beta: float
    eps: float
    flush: bool = False
    ratios_first: bool = False

    @cached_property
    def u(self) -> Number:
        return mp.mpf(2) ** -self.fmt.precision

    @cached_property
    def lam(self) -> Number:
        return mp.mpf(2) ** self.fmt.emin

    @cached_property
    def eta(self) -> Number:
        return mp.mpf(2) ** (self.fmt.emin - self.fmt.precision + 1)

    @cached_property
    def floor(self) -> Number:
        return self.lam if self.flush else self.eta

    # -- the kernel ------------------------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[int, int, int]:
        """e, l, d: the errors of exp, log1p and a division in roundoffs."""
        return (1, 1, 1) if self.fmt.name in {"binary16", "bfloat16"} else (6, 4, 5)

    @cached_property
    def q(self) -> Number:
        e, log1p, d = self.parts
        return mp.ceil(mp.mpf(e + max(log1p, d)) / 2) + 1

    @cached_property
    def v(self) -> Number:
        """u with its second order."""
        return self.u * (1 + (sum(self.parts) + 4) * self.u)

    @cached_property
    def kappa(self) -> Number:
        return (1 + self.u) ** 2 - 1

    def moved(self, z: Number, way: int) -> Number:
        return z + way * self.kappa * abs(z)

    def kernel_loss_error(self, z: Number) -> Number:
        e, log1p, _ = self.parts
        return self.v * ((2 + log1p) * f(z) + e * s(z))

    def kernel_slope_error(self, z: Number) -> Number:
        e, log1p, d = self.parts
        return self.v * ((1 + d) * s(z) + (1 + log1p) * min(s(z), s(-z)) + e * s(z) * s(-z))

    def subtracted(self, low_z: Number, high_z: Number) -> Number:
        """The largest of min(v f(z), f(|z|)) from low_z to high_z."""
        turn = mp.findroot(lambda z: self.u * f(z) - f(-z), -mp.mpf(self.fmt.precision) * mp.mpf("0.6"))
        z = min(max(turn, low_z), high_z)
        return min(self.v * f(z), f(abs(z)))

    def apart(self, low_z: Number, high_z: Number) -> Number:
        """The largest of what kappa |z| moves f by; the hump of t / (1 + exp(t)) is 0.2785 at most."""
        most = [abs(z) * (s((1 - self.kappa) * z) if z > 0 else 1) for z in (low_z, high_z)]
        hump = mp.mpf("0.2785") / (1 - self.kappa) if low_z < 1.3 / (1 - self.kappa) and high_z > 1.2 else mp.mpf(0)
        return self.kappa * max(*most, hump)

    @cached_property
    def w(self) -> Number:
        e, log1p, d = self.parts
        return (1 + self.v * (2 + d + log1p + e)) * (1 + self.u) ** 3 - 1

    @cache  # noqa: B019 - a few thousand pages, for one test
    def range(self, x: float) -> tuple[Number, Number]:
        size = abs(real(x))
        held = float(self.fmt.round_exact(Fraction(x))) == x
        if size < self.lam:
            return mp.mpf(0), size if held else size + self.eta / 2
        return (size, size) if held else (size * (1 - self.u), size * (1 + self.u))

    def option_error(self, x: float) -> Number:
        least, most = self.range(x)
        return max(most - abs(real(x)), abs(real(x)) - least)

    @cached_property
    def margin(self) -> Fraction:
        a, b, c, d = map(Fraction, self.logps)
        return a - b - c + d

    @cached_property
    def z(self) -> Number:
        return real(Fraction(self.beta) * self.margin)

    @cache  # noqa: B019
    def logit_error(self) -> tuple[Number, Number]:
        a, b, c, d = map(Fraction, self.logps)
        h = self.margin
        ratios, policies = [abs(a - c), abs(b - d)], [abs(a - b), abs(c - d)]
        partials = [abs(h - a), abs(h + b), abs(h + c), abs(h - d)]
        D = 2 * sum(ratios)
        if not self.ratios_first:
            D = max(D, 2 * sum(policies), abs(h) + max(ratios + policies) + max(partials))
        sizes = [abs(x) for x in (a, b, c, d, h, *ratios, *policies, *partials)]
        small = any(0 < x < 8 * Fraction(self.fmt.smallest_normal) for x in sizes)
        least, most = self.range(self.beta)
        rounding = self.u * (1 + 4 * self.u) * most * real(D + abs(h))
        lost = self.lam * (4 + (8 * most if small else 0))
        away, towards = most - abs(real(self.beta)), abs(real(self.beta)) - least
        down, up = (towards, away) if self.z > 0 else (away, towards)
        return rounding + down * real(abs(h)) + lost, rounding + up * real(abs(h)) + lost

    def interval(self) -> tuple[Number, Number]:
        down, up = self.logit_error()
        return self.z - down, self.z + up

    # -- the loss --------------------------------------------------------------------------------------------------

    def G(self, z: Number) -> Number:
        eps = real(self.eps)
        return (1 - eps) * f(z) + eps * f(-z)

    def E(self, z: Number) -> Number:
        positive, eps = max(z, mp.mpf(0)), real(self.eps)
        change = (1 + self.w) * self.option_error(self.eps)
        return self.w * (f(z) + eps * positive) + change * (f(z) + positive) + (self.q + 2) * self.floor

    def turns(self) -> tuple[Number, ...]:
        """Where G - E may have its minimum besides the ends."""
        eps, w = real(self.eps), self.w
        change = (1 + w) * self.option_error(self.eps)
        roots = (eps / (1 - w - change), (eps - change - w * eps) / (1 - w - change))
        low, high = self.interval()
        return tuple(min(max(mp.log((1 - r) / r), low), high) for r in roots if 0 < r < 1)

    def lost(self, least: Number, most: Number, scale: Number = 1) -> Number:
        limit = self.lam / (scale * (1 - 2 * self.w))
        return min(most, limit) if least < limit else mp.mpf(0)

    def loss(self) -> tuple[Number, Number, Number]:
        low_z, high_z = self.interval()
        if self.eps == 0:
            floor, left, right = self.q * self.floor, self.moved(low_z, -1), self.moved(high_z, 1)
            low = f(right) - self.kernel_loss_error(right) - floor
            return low, f(self.z), f(left) + self.kernel_loss_error(left) + floor
        ends, eps = (low_z, high_z), real(self.eps)
        apart = (1 - eps) * self.apart(low_z, high_z) + eps * self.apart(-high_z, -low_z)
        high = max(self.G(z) + self.E(z) for z in ends) + apart
        low = min(self.G(z) - self.E(z) for z in (*ends, *self.turns())) - apart
        a, b = (mp.exp(self.kappa * abs(z)) for z in ends)
        low -= self.lost((1 - eps) * f(high_z) / b, (1 - eps) * f(low_z) * a)
        low -= self.lost(eps * f(-low_z) / a, eps * f(-high_z) * b)
        return low, self.G(self.z), high

    # -- the derivative --------------------------------------------------------------------------------------------

    def slope_error(self, z: Number) -> Number:
        if self.eps == 0:
            return self.kernel_slope_error(z) + self.q * self.floor
        eps = real(self.eps)
        m = max(s(z), (1 - eps) * s(z) + eps * s(-z))
        return self.w * m + (1 + self.w) * self.option_error(self.eps) + (self.q + 1) * self.floor

    def slope(self) -> tuple[Number, Number]:
        """[low, high] of s - eps before the product with beta."""
        low_z, high_z = (self.moved(z, way) for z, way in zip(self.interval(), (-1, 1), strict=True))
        eps, scale = real(self.eps), min(mp.mpf(1), abs(real(self.beta))) or mp.mpf(1)
        apart, other = self.subtracted(low_z, high_z), eps * self.subtracted(-high_z, -low_z)
        low = s(high_z) - eps - self.slope_error(high_z) - apart * s(high_z) - other
        high = s(low_z) - eps + self.slope_error(low_z) + apart * s(low_z) + other
        if self.eps:
            low -= self.lost((1 - eps) * s(high_z), (1 - eps) * s(low_z), scale)
            high += self.lost(eps * s(-low_z), eps * s(-high_z), scale)
        return low, high

    def gradient(self) -> tuple[Number, Number, Number]:
        low, high = self.slope()
        exact = real(self.beta) * (s(self.z) - real(self.eps))
        least, most = self.range(self.beta)
        floor = self.floor if self.beta else 0
        bottom, top = low * (least if low >= 0 else most), high * (most if high >= 0 else least)
        bottom, top = bottom - abs(bottom) * self.u - floor, top + abs(top) * self.u + floor
        return (bottom, exact, top) if self.beta >= 0 else (-top, exact, -bottom)

    # -- the second derivative -------------------------------------------------------------------------------------

    def curvature(self) -> tuple[Number, Number]:
        """[low, high] of c = s(z) s(-z) before the products with beta."""
        e, log1p, d = self.parts
        low_z, high_z = (self.moved(z, way) for z, way in zip(self.interval(), (-1, 1), strict=True))
        inside = low_z <= 0 <= high_z
        ends = [s(z) * s(-z) for z in (low_z, high_z)]
        y = mp.mpf(1) if inside else mp.exp(-min(abs(low_z), abs(high_z)))
        r = self.v * (2 * (1 + d) + (1 + log1p) * (1 + y) + e + 1)
        r *= 1 + r
        r += (self.subtracted(low_z, high_z) + self.subtracted(-high_z, -low_z)) * (1 + r)
        floor = (2 * self.q + 1) * self.floor
        return min(ends) * (1 - r) - floor, (mp.mpf("0.25") if inside else max(ends)) * (1 + r) + floor

    def second(self) -> tuple[Number, Number, Number]:
        (low, high), (least, most) = self.curvature(), self.range(self.beta)
        floor = self.floor if self.beta else 0
        for _ in range(2):
            low, high = low * (least if low >= 0 else most), high * most
            low, high = low - abs(low) * self.u - floor, high + abs(high) * self.u + floor
        return low, real(self.beta) ** 2 * s(self.z) * s(-self.z), high

    # -- zero, and overflow ----------------------------------------------------------------------------------------

    def near_zero(self, low: Number, high: Number) -> bool:
        return bool(low < self.lam and high > -self.lam)

    def representable(self) -> bool:
        a, b, c, d = map(Fraction, self.logps)
        h, beta = self.margin, Fraction(self.beta)
        room = Fraction(self.fmt.largest) * (1 - 8 * Fraction(self.fmt.unit_roundoff))
        differences = [a - c, b - d, a - b, c - d]
        sizes = [beta, h, *differences, h - a, h + b, h + c, h - d, beta * h, *(beta * x for x in differences)]
        return all(abs(x) < room for x in sizes)
