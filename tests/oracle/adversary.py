"""Correct DPO code with every rounding error at its limit: what the acceptance intervals have to admit.

Real numbers in balls of 100 bits, not numbers of a format. A sum or product x becomes x +- u|x|, a product below lambda
x +- eta/2, a kernel value moved by kappa |z| in z and by the errors of its parts, an option x +- u|x|; every sign is chosen
so that the result moves one way. That is at least as bad as any rounding to nearest. With flush, whatever is below lambda
becomes 0 after each operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from oracle import Format, enclosure
from oracle.ball import Enclosure, exact, joined, where
from oracle.bounds import Pairs, centre
from oracle.bounds.kernel import kappa, parts
from oracle.formats import Floats

ORDERS = ("ratio", "policy", "ab-cd", "ab-dc", "ac-bd", "ac-db", "bd-ac", "bd-ca", "cd-ab", "cd-ba")
"""(a-c)-(b-d), (a-b)-(c-d), and the eight sequential sums that begin with a difference: "ab-cd" is ((a-b)-c)+d."""


@dataclass(frozen=True)
class Adversary:
    """The arithmetic: a format, and whether subnormal inputs, intermediates and results become 0."""

    fmt: Format
    flush: bool = False

    def _flushed(self, x: Enclosure) -> Enclosure:
        return where(np.abs(centre(x)) < self.fmt.smallest_normal, 0.0, x) if self.flush else x

    def input(self, x: Floats) -> Enclosure:
        """A number that is given."""
        return self._flushed(exact(x))

    def sum(self, x: Enclosure, way: float | Floats) -> Enclosure:
        """A rounded sum: exact in the subnormal range (Hauser)."""
        error = where(np.abs(centre(x)) < self.fmt.smallest_normal, 0.0, abs(x) * self.fmt.unit_roundoff)
        return self._flushed(x + error * _as(way, x))

    def product(self, x: Enclosure, way: float | Floats) -> Enclosure:
        """A rounded product."""
        below = (np.abs(centre(x)) < self.fmt.smallest_normal) & (x.head != 0)
        error = where(below, self.fmt.smallest_subnormal / 2, abs(x) * self.fmt.unit_roundoff)
        return self._flushed(x + error * _as(way, x))

    def option(self, value: float, way: float | Floats, shape: tuple[int, ...]) -> Enclosure:
        """Beta or label_smoothing rounded into the format; unchanged where it is a number of it."""
        fmt, size = self.fmt, abs(value)
        room = 0.0 if float(fmt.round_array(value)) == value else max(fmt.unit_roundoff * size, fmt.smallest_subnormal / 2)
        result = exact(np.full(shape, value)) + exact(np.full(shape, room)) * np.broadcast_to(way, shape)
        return where(np.full(shape, self.flush and size < fmt.smallest_normal), 0.0, result)

    def _kernel(self, x: Enclosure, errors: Enclosure, way: float | Floats) -> Enclosure:
        """A kernel's value, its errors and quanta away, and not negative."""
        moved = x + (errors + parts(self.fmt).quanta * self.fmt.smallest_subnormal) * _as(way, x)
        return self._flushed(where(moved.head < 0, 0.0, moved))

    def _away(self, z: Enclosure, way: float | Floats) -> Enclosure:
        """The logit of an exponential by exp2: z (1 + t), so that a function that falls goes one way."""
        return z - abs(z) * (kappa(self.fmt) * _as(way, z))

    def loss(self, z: Enclosure, way: float | Floats) -> Enclosure:
        """A kernel's f with every error at its limit: of the logit, of exp and of what comes after."""
        part, u = parts(self.fmt), self.fmt.unit_roundoff
        f, s = enclosure.kernel(self._away(z, way))
        return self._kernel(f, f * ((2 + part.log1p) * u) + s * (part.exp * u), way)

    def slope(self, z: Enclosure, way: float | Floats) -> Enclosure:
        """A kernel's s likewise; what exp(-z - f) loses is a test of its own."""
        part, u = parts(self.fmt), self.fmt.unit_roundoff
        z = self._away(z, way)
        s, other = enclosure.sigmoid_minus(z), enclosure.sigmoid_minus(-z)
        smaller = where((other - s).head > 0, s, other)
        errors = s * ((1 + part.division) * u) + smaller * ((1 + part.log1p) * u) + s * other * (part.exp * u)
        return self._kernel(s, errors, way)


def _as(way: float | Floats, x: Enclosure) -> Floats:
    return np.broadcast_to(np.asarray(way, dtype=np.float64), x.shape)


def logits(arithmetic: Adversary, pairs: Pairs, way: float) -> Iterator[tuple[str, Enclosure]]:
    """Every admitted way to the logit, every error pushing it up (way = 1) or down (way = -1)."""
    fmt = arithmetic
    names = dict(zip("abcd", (fmt.input(x) for x in pairs.logps), strict=True))
    sign = {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}
    up = way * (np.sign(pairs.beta) or 1.0)

    def term(name: str) -> Enclosure:
        return names[name] * sign[name]

    def beta(factor: Enclosure) -> Enclosure:
        return fmt.option(pairs.beta, way * np.sign(factor.head), factor.shape)

    for order in ORDERS:
        if order in {"ratio", "policy"}:
            left, right = ("a", "c"), ("b", "d")
            if order == "policy":
                left, right = ("a", "b"), ("c", "d")
            first, second = (fmt.sum(term(x) + term(y), up) for x, y in (left, right))
            whole = fmt.sum(first + second, up)
            one = beta(whole)
            yield f"{order}, beta first", fmt.sum(fmt.product(one * first, way) + fmt.product(one * second, way), way)
        else:
            one_, two, three, four = order.replace("-", "")
            partial = fmt.sum(term(one_) + term(two), up)
            whole = fmt.sum(fmt.sum(partial + term(three), up) + term(four), up)
        yield f"{order}, beta last", fmt.product(beta(whole) * whole, way)


def extreme_logits(arithmetic: Adversary, pairs: Pairs) -> Enclosure:
    """The lowest and the highest logit over all ways, and the exact one, one after the other: 3n logits."""
    z = enclosure.logit(*pairs.logps, pairs.beta)
    low = high = z
    for way in (-1.0, 1.0):
        for _, found in logits(arithmetic, pairs, way):
            low, high = where((found - low).head < 0, found, low), where((found - high).head > 0, found, high)
    return joined(low, high, z)


def weights(arithmetic: Adversary, eps: float, way: float, shape: tuple[int, ...]) -> Iterator[tuple[Enclosure, Enclosure]]:
    """(1 - eps, eps) as rounded: both pushed one way, or 1 - eps from the rounded eps of either side."""
    one = exact(np.full(shape, 1.0))
    yield arithmetic.sum(one - eps, way), arithmetic.option(eps, way, shape)
    for side in (-1.0, 1.0):
        rounded = arithmetic.option(eps, side, shape)
        yield arithmetic.sum(one - rounded, way), rounded


def losses(arithmetic: Adversary, z: Enclosure, eps: float, way: float) -> Iterator[tuple[str, Enclosure]]:
    """Every admitted way from a logit to the loss, pushed up (way = 1) or down (way = -1)."""
    fmt = arithmetic
    chosen = fmt.loss(z, way)
    if eps == 0:
        yield "alone", chosen
        return
    rejected = fmt.loss(-z, way)
    for one, other in weights(fmt, eps, way, z.shape):
        yield "mixture", fmt.sum(fmt.product(one * chosen, way) + fmt.product(other * rejected, way), way)
    weight = fmt.option(eps, way * np.sign(z.head), z.shape)
    yield "shifted", fmt.sum(chosen + fmt.product(weight * z, way), way)


def derivatives(arithmetic: Adversary, z: Enclosure, beta: float, eps: float, way: float) -> Iterator[tuple[str, Enclosure]]:
    """Every admitted way from a logit to beta (sigma(-z) - eps), pushed up or down."""
    fmt, up = arithmetic, way * (np.sign(beta) or 1.0)
    chosen = fmt.slope(z, up)
    slopes, terms = [("alone", chosen)], []
    if eps != 0:
        slopes = [("difference", fmt.sum(chosen - fmt.option(eps, -up, z.shape), up))]
        rejected = fmt.slope(-z, -up)
        ups, downs = list(weights(fmt, eps, up, z.shape)), list(weights(fmt, eps, -up, z.shape))
        pairs = [(ups[0][0], downs[0][1]), *ups[1:]]
        terms = [(fmt.product(one * chosen, up), fmt.product(other * rejected, -up)) for one, other in pairs]
        slopes += [("mixture", fmt.sum(one - other, up)) for one, other in terms]
    for form, slope in slopes:
        yield form, fmt.product(fmt.option(beta, way * np.sign(slope.head), z.shape) * slope, way)
    for one, other in terms:
        factor = fmt.option(beta, way * np.sign((one - other).head), z.shape)
        both = fmt.product(factor * one, way) - fmt.product(factor * other, -way)
        yield "beta on both terms", fmt.sum(both, way)


def means(arithmetic: Adversary, each: Enclosure, way: float) -> Enclosure:
    """The mean of results that are pushed one way already: one after the other, then times a rounded 1/n."""
    total = each[:1]
    for i in range(1, each.size):
        total = arithmetic.sum(total + each[i : i + 1], way)
    share = total.divided_by(each.size)
    share = share + abs(share) * (arithmetic.fmt.unit_roundoff * way)
    return arithmetic.product(share, way)


def towards(x: Enclosure, target: Enclosure) -> Floats:
    """Each number as a float64, rounded towards the target, so that the conversion adds no error."""
    got = centre(x)
    past = (exact(got) - x).head * (x - target).head > 0
    return np.where(past, np.nextafter(got, centre(target)), got)
