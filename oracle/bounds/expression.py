"""Acceptance intervals of any expression of the language, by a running error analysis of its every admitted spelling.

For each node, [x - down, x + up] holds every number that admitted arithmetic may have there, x being the exact value.
docs/bounds.md, section "Any expression", derives each rule under the name that it has here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from oracle.ball import Enclosure, joined, where
from oracle.ball import exact as point
from oracle.bounds.acceptance import Acceptance, Mask, centre
from oracle.bounds.conditioning import OUT, option_range, quantum_floor
from oracle.bounds.kernel import any_kernel
from oracle.bounds.reductions import summation
from oracle.expressions import balls
from oracle.expressions.arrays import Arrays
from oracle.expressions.nodes import Kernel, Node, Op, walk
from oracle.formats import Floats, Format

_EXACT_KERNELS = {Kernel.RELU, Kernel.STEP}
_FALLING = {Kernel.LOG1MEXP}


@dataclass(frozen=True, slots=True)
class Errors:
    """How far below and above the exact value what was computed may lie; float64 arrays, not negative."""

    down: Floats
    up: Floats

    @property
    def most(self) -> Floats:
        """The larger of the two."""
        return np.maximum(self.down, self.up)


class Running:
    """The errors at every node of expressions over the same n pairs, each worked out once."""

    def __init__(self, arrays: Arrays, fmt: Format, *, flush: bool = False, given: Mapping[str, Floats] | None = None) -> None:
        self.arrays, self.fmt = arrays, fmt
        self._given = given or {}
        self._u, self._lam = fmt.unit_roundoff, fmt.smallest_normal
        self._floor = quantum_floor(fmt, flush)
        self._known: dict[Node, Errors] = {}
        self._centres: dict[Node, Floats] = {}

    def acceptance(self, node: Node) -> Acceptance:
        """The acceptance interval of the expression at each pair."""
        exact, errors = self.arrays.ball(node), self.errors(node)
        down, up = (np.minimum(error * OUT, np.finfo(np.float64).max) for error in (errors.down, errors.up))
        with np.errstate(invalid="ignore", over="ignore"):
            low, high = exact - down, exact + up
            zero = (centre(low) < self._lam) & (centre(high) > -self._lam)
        return Acceptance(exact, low, high, np.asarray(zero), self.fmt)

    def representable(self, node: Node) -> Mask:
        """Where no intermediate of any spelling overflows in the format, nor an input is infinite."""
        room = self.fmt.largest * (1 - 8 * self._u)
        fits = np.ones(self.arrays.n, dtype=bool)
        self.errors(node)
        with np.errstate(invalid="ignore", over="ignore"):
            for x in walk(node):
                fits &= np.abs(self._centre(x)) + self._known[x].most < room
        return fits

    def errors(self, node: Node) -> Errors:
        """The errors at a node."""
        if node not in self._known:
            with np.errstate(all="ignore"):
                for x in walk(node):
                    if x not in self._known:
                        self._known[x] = self._finished(x, self._of(x))
        return self._known[node]

    def _centre(self, node: Node) -> Floats:
        if node not in self._centres:
            self._centres[node] = centre(self.arrays.ball(node))
        return self._centres[node]

    def _is_zero(self, node: Node) -> Mask:
        """Where the value is exactly 0; what float64 does not hold is not."""
        ball = self.arrays.ball(node)
        return np.asarray((ball.head == 0) & (ball.radius == 0))

    def _finished(self, node: Node, errors: Errors) -> Errors:
        """NaN, from what has no bound, is without bound."""
        del node
        return Errors(*(np.where(np.isnan(error), np.inf, error) for error in (errors.down, errors.up)))

    def _of(self, node: Node) -> Errors:
        if not node.args:
            return self._leaf(node)
        args = [self._known[arg] for arg in node.args]
        if node.op is Op.SPELLED:
            return Errors(*(np.maximum.reduce([getattr(arg, side) for arg in args]) for side in ("down", "up")))
        if node.op is Op.DETACHED:
            return args[0]
        if node.op is Op.NEGATE:
            return Errors(args[0].up, args[0].down)
        if node.op is Op.KERNEL:
            return self._kernel(node, args[0])
        if node.op in {Op.MEAN, Op.TOTAL}:
            return self._sum(node, args[0])
        if node.op in {Op.SORTED, Op.UNSORTED}:
            return self._carried(node, args)
        return self._rounded(node, self._arithmetic(node, args))

    def _leaf(self, node: Node) -> Errors:
        """An input is a number of the format, or a length that is rounded into it; a parameter may be, or not."""
        exact = self._centre(node)
        if node.op is Op.INPUT:
            held = self.fmt.round_array(exact) == exact
            error = np.where(held | ~np.isfinite(exact), 0.0, self._u * np.abs(exact)) + self._given.get(node.name, 0.0)
            return Errors(error, error)
        least, most = option_range(float(exact[0]), self.fmt)
        inner, outer = np.full_like(exact, abs(exact[0]) - least), np.full_like(exact, most - abs(exact[0]))
        return Errors(inner, outer) if exact[0] >= 0 else Errors(outer, inner)

    def _arithmetic(self, node: Node, args: list[Errors]) -> Errors:
        x, y = args
        if node.op is Op.ADD:
            return Errors(x.down + y.down, x.up + y.up)
        if node.op is Op.SUBTRACT:
            return Errors(x.down + y.up, x.up + y.down)
        first, second = (self._centre(arg) for arg in node.args)
        quotient = self._centre(node)
        corners = []
        for e in (-x.down, x.up):
            for g in (-y.down, y.up):
                if node.op is Op.MULTIPLY:
                    corners.append(_product(first, g) + _product(second, e) + _product(e, g))
                else:
                    corners.append((e - quotient * g) / (second + g))
        if node.op is Op.DIVIDE:
            reaches = np.abs(second) <= np.where(second > 0, y.down, y.up)
            corners = [np.where(reaches, np.inf, corner) for corner in corners]
            corners.append(np.where(reaches, -np.inf, 0.0))
        return Errors(np.maximum(-np.minimum.reduce(corners), 0.0), np.maximum(np.maximum.reduce(corners), 0.0))

    def _rounded(self, node: Node, errors: Errors) -> Errors:
        """One rounding of what the operation gives, an underflow of a product, and a flush of what is subnormal."""
        size = np.abs(self._centre(node))
        floor = self._floor if node.op in {Op.MULTIPLY, Op.DIVIDE} or node.op is Op.KERNEL else 0.0
        never = self._is_zero(node) & (errors.most == 0)
        lost = self._u * (size + errors.most) + floor
        return self._flushed(node, Errors(*(error + np.where(never, 0.0, lost) for error in (errors.down, errors.up))))

    def _flushed(self, node: Node, errors: Errors) -> Errors:
        """Where a computed number may be subnormal it may become 0."""
        exact = self._centre(node)
        down = np.where((exact > 0) & (exact - errors.down < self._lam), np.maximum(errors.down, exact), errors.down)
        up = np.where((exact < 0) & (exact + errors.up > -self._lam), np.maximum(errors.up, -exact), errors.up)
        return Errors(down, up)

    def _kernel(self, node: Node, x: Errors) -> Errors:
        """The image of the argument's interval, and of that K ulp; squares are rounded once, relu and its step are exact."""
        kernel, ball = node.kernel, self.arrays.ball(node.args[0])
        if kernel is Kernel.SQUARE:
            value = self._centre(node.args[0])
            ends = [e * (2 * value + e) for e in (-x.down, x.up)]
            across = (value - x.down < 0) & (value + x.up > 0)
            ends.append(np.where(across, -value * value, 0.0))
            image = Errors(np.maximum(-np.minimum.reduce(ends), 0.0), np.maximum(np.maximum.reduce(ends), 0.0))
            return self._rounded(node, image)
        image = self._image(node, ball, x) if node.varies or x.most.any() else Errors(x.down, x.up)
        if kernel in _EXACT_KERNELS:
            return image
        relative, floor = 2 * any_kernel(self.fmt) * self._u, any_kernel(self.fmt) * self._floor
        lost = relative * (np.abs(self._centre(node)) + image.most) + floor
        lost = np.where(self._is_zero(node) & (image.most == 0), 0.0, lost)
        return self._flushed(node, Errors(image.down + lost, image.up + lost))

    def _image(self, node: Node, ball: Enclosure, x: Errors) -> Errors:
        kernel, value = node.kernel, self.arrays.ball(node)
        finite = np.isfinite(x.down) & np.isfinite(x.up)
        low, high = ball - np.where(finite, x.down, 0.0), ball + np.where(finite, x.up, 0.0)
        if kernel in _EXACT_KERNELS:
            ends = [_end(kernel, low, -1), _end(kernel, high, 1)]
        elif kernel is Kernel.BUMP:
            return self._bump_image(value, low, high, finite)
        else:
            both, n = balls.apply(kernel, joined(low, high)), low.size
            ends = [both[:n], both[n:]]
        if kernel in _FALLING:
            ends.reverse()
        down, up = balls.size(value - ends[0])[1], balls.size(ends[1] - value)[1]
        return Errors(*(np.where(finite & ~np.isnan(part), part, np.inf) for part in (down, up)))

    def _bump_image(self, value: Enclosure, low: Enclosure, high: Enclosure, finite: Mask) -> Errors:
        """It rises to 1/4 at 0 and falls: least at the end farther from 0, greatest at the nearer one or at 0."""
        both, n = balls.bump(joined(low, high)), low.size
        ends = [both[:n], both[n:]]
        down = np.maximum.reduce([balls.size(value - end)[1] for end in ends])
        up = np.maximum.reduce([balls.size(end - value)[1] for end in ends])
        across = (low.head <= 0) & (high.head >= 0)
        up = np.where(across, np.maximum(up, balls.size(point(0.25) - value)[1]), up)
        return Errors(np.where(finite, down, np.inf), np.where(finite, up, np.inf))

    def _sum(self, node: Node, x: Errors) -> Errors:
        """n - 1 additions in any order, and for a mean 1 / n and the product with it: as `oracle.bounds.mean`."""
        n = self.arrays.n
        share = n if node.op is Op.MEAN else 1
        size = float(np.sum(np.abs(self._centre(node.args[0])) + x.most)) / share
        rounding = summation(n, self.fmt) * size + self._floor
        ends = [np.full(n, float(np.sum(side)) / share + rounding) for side in (x.down, x.up)]
        return self._flushed(node, Errors(*ends))

    def _carried(self, node: Node, args: list[Errors]) -> Errors:
        """Through a sort: where the keys' intervals overlap, any of the values that may have come there."""
        value, key = node.args
        places = self.arrays.places(key)
        starts = self._groups(key, places)
        moved = places if node.op is Op.SORTED else np.arange(places.size)
        centres, errors = self._centre(value)[moved], args[0]
        low, high = centres - errors.down[moved], centres + errors.up[moved]
        down, up = errors.down[moved].copy(), errors.up[moved].copy()
        for first, last in zip(starts, [*starts[1:], places.size], strict=True):
            if last - first > 1:
                group = slice(first, last)
                slack = 2.0**-51 * np.max(np.abs(centres[group]))
                down[group] = np.maximum(down[group], centres[group] - low[group].min() + slack)
                up[group] = np.maximum(up[group], high[group].max() - centres[group] + slack)
        if node.op is Op.SORTED:
            return Errors(down, up)
        back = np.empty_like(places)
        back[places] = np.arange(places.size)
        return Errors(down[back], up[back])

    def _groups(self, key: Node, places: np.ndarray) -> list[int]:
        """The ranks at which a run of keys begins that computed keys cannot reach across."""
        errors, ball = self._known[key], self.arrays.ball(key).take(places)
        gaps = ball[1:] - ball[:-1]
        least = np.where(gaps.head > 0, balls.size(gaps)[0], 0.0)
        apart = least > errors.up[places][:-1] + errors.down[places][1:]
        return [0, *(np.flatnonzero(apart) + 1).tolist()]


def _product(x: Floats, e: Floats) -> Floats:
    """X e, 0 where e is 0 though x is infinite."""
    return np.where(e == 0, 0.0, x * e)


def _end(kernel: Kernel, x: Enclosure, side: int) -> Enclosure:
    """Relu, or its step, at an end of an interval; where the ball leaves the sign open, the outer of the two values."""
    open_sign = ~balls.sign_known(x)
    zero = (x.head == 0) & (x.radius == 0)
    if kernel is Kernel.RELU:
        most = np.ldexp(np.maximum(x.head + x.radius, 0.0), np.clip(x.exponent, -1000, 1000).astype(np.int32))
        kept = where(x.head > 0, x, 0.0)
        return kept if side < 0 else where(open_sign, most * OUT, kept)
    reached = (x.head > 0) & ~open_sign if side < 0 else (x.head > 0) | open_sign | zero
    return point(np.where(reached, 1.0, 0.0))


def running(
    inputs: Mapping[str, Floats],
    parameters: Mapping[str, Fraction],
    fmt: Format,
    *,
    flush: bool = False,
    given: Mapping[str, Floats] | None = None,
) -> Running:
    """The analysis over n pairs: inputs are float64 arrays of shape (n,) that hold numbers of the format.

    given: what an input that was computed itself may be off by, by its name; besides its rounding into the format.
    """
    return Running(Arrays(inputs, parameters), fmt, flush=flush, given=given)
