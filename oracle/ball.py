"""Arrays of real numbers, each enclosed in a ball: centre a double-double times a power of two, radius proved.

The scale is separate from the float64 exponent, so exp(-740) keeps full relative accuracy and 1e308 * 1e308 is finite.
Every rounding of a centre is paid for in its radius; the accounts are in docs/enclosures.md, section "Balls".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle.arguments import floats, integer, single
from oracle.doubledouble import (
    Floats,
    Integers,
    add,
    assert_ieee,
    divide_by_float,
    multiply,
    power_of_two,
)
from oracle.errors import OutOfRange

Mask = NDArray[np.bool_]

SLACK = 1.0 + 2.0**-48  # covers the at most 15 roundings that make one radius
ADD_ERROR, MULTIPLY_ERROR, DIVIDE_ERROR = 2.0**-104, 2.0**-102, 2.0**-104
LEAST_RADIUS = 2.0**-1000  # a radius is 0 or at least this, so that no product of radii is lost to underflow
FAR = 600  # an addend this many binary orders below the other goes into the radius
BLOCK = 16384


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Balls: |x - (head + tail) * 2**exponent| <= radius * 2**exponent for the real number x, elementwise.

    head, tail, radius: float64; exponent: int64; all of one shape. head = RN(head + tail); the larger
    of |head| and radius is in [1/2, 1) unless both are 0. A NaN head says that x is NaN, an infinite head that x is
    that infinity; tail, exponent and radius are then 0.
    """

    head: Floats
    tail: Floats
    exponent: Integers
    radius: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array of numbers."""
        return self.head.shape

    @property
    def size(self) -> int:
        """How many numbers."""
        return self.head.size

    def _each(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Enclosure:
        return Enclosure(function(self.head), function(self.tail), function(self.exponent), function(self.radius))

    def __getitem__(self, index: Any) -> Enclosure:
        """The balls at an index, as NumPy indexes."""
        return self._each(lambda field: np.asarray(field[index]))

    def take(self, indices: NDArray[np.integer[Any]]) -> Enclosure:
        """The balls at flat indices."""
        return self._each(lambda field: np.take(field, indices))

    def replaced(self, places: NDArray[np.intp], balls: Enclosure) -> Enclosure:
        """The balls of one dimension with others at some of their places."""
        result = self._each(np.copy)
        for field in ("head", "tail", "exponent", "radius"):
            getattr(result, field)[places] = getattr(balls, field)
        return result

    def reshape(self, *shape: Any) -> Enclosure:
        """The same balls in another shape."""
        return self._each(lambda field: field.reshape(*shape))

    def broadcast_to(self, shape: tuple[int, ...]) -> Enclosure:
        """The same balls repeated into a shape, as read-only views."""
        return self._each(lambda field: np.broadcast_to(field, shape))

    def __neg__(self) -> Enclosure:
        """-x, exact."""
        return Enclosure(-self.head, -self.tail, self.exponent, self.radius)

    def __abs__(self) -> Enclosure:
        """|x|: the ball mirrored where its centre is negative; the radius holds, as ||x| - |c|| <= |x - c|."""
        sign = np.copysign(1.0, self.head)
        return Enclosure(self.head * sign, self.tail * sign, self.exponent, self.radius)

    def __add__(self, other: Enclosure | float | Floats) -> Enclosure:
        """X + y, relative rounding error 2**-104 of the centre, cancellation included; inf - inf is NaN."""
        x, y = self, as_enclosure(other)
        x_empty, y_empty = (x.head == 0) & (x.radius == 0), (y.head == 0) & (y.radius == 0)
        top = np.maximum(np.where(x_empty, y.exponent, x.exponent), np.where(y_empty, x.exponent, y.exponent))
        x, y = _lowered_to(x, top), _lowered_to(y, top)
        with np.errstate(invalid="ignore", under="ignore"):
            head, tail = add((x.head, x.tail), (y.head, y.tail))
            radius = (x.radius + y.radius + ADD_ERROR * np.abs(head)) * SLACK
            radius = radius + 2 * LEAST_RADIUS * (radius > 0)
            return normalised(head, tail, top, radius, special=x.head + y.head)

    def __sub__(self, other: Enclosure | float | Floats) -> Enclosure:
        """X - y, relative rounding error 2**-104 of the centre, cancellation included."""
        return self + (-as_enclosure(other))

    def __mul__(self, other: Enclosure | float | Floats) -> Enclosure:
        """Xy, relative rounding error 2**-102; 0 * inf is NaN.

        Raises OutOfRange where an infinity meets a ball that holds 0 and other numbers: the product has no sign.
        """
        x, y = self, as_enclosure(other)
        with np.errstate(invalid="ignore", under="ignore"):
            special = x.head * y.head
            if not np.isfinite(special).all():
                _refuse_infinity_times_unsigned(x, y)
            head, tail = multiply((x.head, x.tail), (y.head, y.tail))
            spread = np.abs(x.head) * y.radius + np.abs(y.head) * x.radius + x.radius * y.radius
            radius = (spread + np.abs(special) * MULTIPLY_ERROR) * SLACK
            return normalised(head, tail, x.exponent + y.exponent, radius, special)

    def divided_by(self, n: int) -> Enclosure:
        """x/n for an integer 1 <= n <= 2**53, relative rounding error 2**-104. Raises OutOfRange for any other n."""
        n = integer("n", n, "an integer from 1 to 2**53", 1, 2**53)
        divisor = np.full_like(self.head, float(n))
        with np.errstate(invalid="ignore", under="ignore"):
            head, tail = divide_by_float((self.head, self.tail), divisor)
            radius = (self.radius / divisor + DIVIDE_ERROR * np.abs(head)) * SLACK
            return normalised(head, tail, self.exponent, radius, special=self.head)

    def widen(self, relative: float = 0.0, absolute: float | Floats = 0.0) -> Enclosure:
        """The balls with radius enlarged by relative * |x| and by absolute (real units).

        Raises OutOfRange where one of them is negative or not finite, and what `exact` raises.
        """
        relative, absolute = single("relative", relative), floats("absolute", absolute)
        if not (0 <= relative < np.inf and ((absolute >= 0) & (absolute < np.inf)).all()):
            raise OutOfRange("relative or absolute", (relative, absolute), "finite and not negative")
        grown = self
        if relative:
            relative = max(relative, LEAST_RADIUS)  # so that the product does not underflow
            radius = (self.radius + relative * (np.abs(self.head) + self.radius)) * SLACK
            grown = normalised(self.head, self.tail, self.exponent, radius, special=self.head)
        if absolute.any():
            more = exact(absolute)
            zero = np.zeros_like(more.head)
            grown = grown + Enclosure(zero, zero, more.exponent, more.head)
        return grown


def exact(values: ArrayLike) -> Enclosure:
    """x = the float64 value itself, radius 0; NaN and infinities are themselves.

    Raises NotANumber, and NotBinary64 for a number that float64 does not hold.
    """
    with np.errstate(invalid="ignore"):  # a signalling NaN
        head, exponent = np.frexp(floats("values", values) + 0.0)
    head = np.asarray(head)
    powers = np.where(np.isfinite(head), exponent, 0).astype(np.int64)
    return Enclosure(head, np.zeros_like(head), powers, np.zeros_like(head))


def as_enclosure(x: Enclosure | ArrayLike) -> Enclosure:
    """An Enclosure as it is; float64 values as exact."""
    return x if isinstance(x, Enclosure) else exact(x)


def where(mask: Mask, a: Enclosure | ArrayLike, b: Enclosure | ArrayLike) -> Enclosure:
    """a where the mask is true, else b, elementwise; mask, a and b broadcast."""
    a, b = as_enclosure(a), as_enclosure(b)
    return Enclosure(
        np.where(mask, a.head, b.head),
        np.where(mask, a.tail, b.tail),
        np.where(mask, a.exponent, b.exponent),
        np.where(mask, a.radius, b.radius),
    )


def rescaled(head: Floats, tail: Floats, exponent: Integers, radius: Floats) -> Enclosure:
    """`normalised` for finite balls with |head| in [2**-200, 2**200] and a radius above 2**-200 |head| that has room.

    Room: SLACK on a radius covers the 2**-1074 that a tail may lose to underflow.
    """
    shift = np.frexp(np.maximum(np.abs(head), radius))[1].astype(np.int64)
    down = power_of_two(-shift)
    return Enclosure(head * down, tail * down, exponent + shift, radius * down)


def joined(*balls: Enclosure) -> Enclosure:
    """One-dimensional arrays of balls, one after the other."""
    fields = ("head", "tail", "exponent", "radius")
    return Enclosure(*(np.concatenate([getattr(ball, field) for ball in balls]) for field in fields))


def normalised(head: Floats, tail: Floats, exponent: Integers, radius: Floats, special: Floats) -> Enclosure:
    """The ball rescaled so that max(|head|, radius) is in [1/2, 1); x = special where that is NaN or infinite.

    head = RN(head + tail) on entry. What a rescaled part loses to underflow is below 2**-1074 and is paid with
    LEAST_RADIUS, which every positive radius is given; a ball of radius 0 stays exact unless it loses.
    """
    wanted = np.frexp(np.maximum(np.abs(head), radius))[1].astype(np.int64)
    shift = np.minimum(np.maximum(wanted, -1000), 1000)
    down = power_of_two(-shift)
    with np.errstate(under="ignore", invalid="ignore"):
        new_head, new_tail, new_radius = head * down, tail * down, radius * down + LEAST_RADIUS
        if not radius.all():
            up = power_of_two(shift)
            kept = (radius == 0) & (new_head * up == head) & (new_tail * up == tail)
            new_radius = np.where(kept, 0.0, new_radius)
    result = Enclosure(new_head, new_tail, exponent + shift, new_radius)
    finite = np.isfinite(special)
    again = finite & (wanted != shift)
    if again.any():
        head, tail, radius = (np.where(again, part, 0.0) for part in (new_head, new_tail, new_radius))
        result = where(again, normalised(head, tail, result.exponent, radius, np.zeros_like(special)), result)
    if finite.all():
        return result
    zero = np.zeros_like(special)
    return where(finite, result, Enclosure(special, zero, zero.astype(np.int64), zero))


def _lowered_to(x: Enclosure, exponent: Integers) -> Enclosure:
    """The balls with that exponent, at least their own unless they are exactly 0; infinities stay.

    A part may lose up to 2**-1074 to underflow; a ball whose parts are all below 2**-FAR becomes 0 with a radius.
    """
    shift = np.minimum(np.maximum(x.exponent - exponent, -FAR), 0)
    if not shift.any():
        return x
    down = power_of_two(shift)
    with np.errstate(under="ignore", invalid="ignore"):
        head, tail, radius = x.head * down, x.tail * down, x.radius * down
        radius = radius + LEAST_RADIUS * (x.radius > 0)
    far = (shift == -FAR) & np.isfinite(head) & ((head != 0) | (radius != 0))
    if far.any():
        head, tail = np.where(far, 0.0, head), np.where(far, 0.0, tail)
        radius = np.where(far, 2.0 ** (2 - FAR), radius)
    return Enclosure(head, tail, exponent, radius)


def _refuse_infinity_times_unsigned(x: Enclosure, y: Enclosure) -> None:
    """Raises OutOfRange where an infinity meets a ball that holds 0 and other numbers."""
    for infinite, ball in ((x, y), (y, x)):
        unsigned = np.isinf(infinite.head) & (ball.radius > 0) & (ball.radius >= np.abs(ball.head) * (1 - 2.0**-50))
        if unsigned.any():
            raise OutOfRange("factor", "a ball that holds 0 and other numbers", "an infinite factor needs one of known sign")


def prepare() -> None:
    """Before every evaluation: checks the arithmetic, and once per process lets the allocator keep freed blocks."""
    assert_ieee()
    _keep_freed_blocks()


@cache
def _keep_freed_blocks() -> None:
    """Lets the allocator keep freed blocks.

    Freeing one large array makes glibc raise its trim threshold, so that the many short-lived arrays of a chunk do not
    go back to the system one by one: measured, 2 to 4 times faster. Elsewhere it does nothing.
    """
    np.empty(1 << 21)


Operand = Enclosure | NDArray[Any]


def in_blocks(function: Callable[..., tuple[Operand, ...]], *operands: Operand) -> tuple[Any, ...]:
    """function over the broadcast operands, in chunks that stay in the cache; its results in the broadcast shape.

    function takes and returns arrays or Enclosures of one dimension. Operands of one element are passed as such.
    """
    prepare()
    shape = np.broadcast_shapes(*(operand.shape for operand in operands))
    size = int(np.prod(shape))
    flat = [_flat(operand, shape) if operand.size != 1 else operand.reshape(1) for operand in operands]
    results: tuple[Operand, ...] = ()
    for start in range(0, max(size, 1), BLOCK):
        chunk = slice(start, start + BLOCK)
        piece = function(*(operand if operand.size == 1 else operand[chunk] for operand in flat))
        if size <= BLOCK:
            results = piece
            break
        results = results or tuple(_like(part, size) for part in piece)
        for whole, part in zip(results, piece, strict=True):
            _write(whole, chunk, part)
    return tuple(result.reshape(shape) for result in results)


def _flat(operand: Operand, shape: tuple[int, ...]) -> Operand:
    if isinstance(operand, Enclosure):
        return operand.broadcast_to(shape).reshape(-1)
    return np.broadcast_to(operand, shape).reshape(-1)


def _like(piece: Operand, size: int) -> Operand:
    if isinstance(piece, Enclosure):
        return Enclosure(np.empty(size), np.empty(size), np.empty(size, dtype=np.int64), np.empty(size))
    return np.empty(size, dtype=piece.dtype)


def _write(whole: Operand, chunk: slice, piece: Operand) -> None:
    if isinstance(whole, Enclosure) and isinstance(piece, Enclosure):
        for field in ("head", "tail", "exponent", "radius"):
            getattr(whole, field)[chunk] = getattr(piece, field)
    elif isinstance(whole, np.ndarray):
        whole[chunk] = piece
