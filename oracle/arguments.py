"""What the functions of the oracle take, decided here alone: every number is read exactly or refused by a named error.

`read` and `broadcast` take any real number, as the rational that it is, NaN or an infinity. `floats` takes what binary64
holds exactly, `integers` whole numbers. Nothing is rounded, cut off or taken from behind a mask.
"""

from __future__ import annotations

import functools
import math
import numbers
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from oracle.errors import NotAnInteger, NotANumber, NotBinary64, NotFinite, OutOfRange, ShapeMismatch

Extended = Fraction | float
"""A finite number as a Fraction, or a float that is NaN or infinite."""

_REAL = "a real number: an int, float, Fraction, Decimal, NumPy number, or text of a decimal or a hexadecimal float"
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE | re.ASCII)
_RATIO = re.compile(r"[+-]?\d+/0*[1-9]\d*", re.ASCII)
_HEXADECIMAL = re.compile(r"[+-]?0x([0-9a-f]+(\.[0-9a-f]*)?|\.[0-9a-f]+)(p[+-]?\d{1,4})?", re.IGNORECASE | re.ASCII)
_REFUSED = (bool, np.bool_, complex, np.complexfloating, np.timedelta64, np.datetime64, np.flexible)
_LARGEST = 2**17
"""Bits of a numerator or denominator: 39,456 digits, more than any text that is read; an exponential of it takes a second."""
_HELD = frozenset(np.dtype(kind) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "u1", "u2", "u4"))
_UNMASKED = "an array without masked elements: fill them, or compress the array"
_NONFINITE = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf}


def read(argument: str, value: object) -> Extended:
    """The exact value of one number: Fraction('1/10') for the text '0.1', the float's own dyadic for the float 0.1.

    Raises NotANumber, naming the argument, and OutOfRange for a number too long to compute with.
    """
    if type(value) is float and math.isfinite(value):  # by far the most
        return Fraction(value)
    if isinstance(value, str):
        return _read_text(argument, value)
    if isinstance(value, _REFUSED):
        raise NotANumber(argument, value, _REAL)
    if isinstance(value, numbers.Rational | np.integer):
        numerator, denominator = int(value.numerator), int(value.denominator)
        if max(numerator.bit_length(), denominator.bit_length()) > _LARGEST:
            raise OutOfRange(argument, value, f"a number of at most {_LARGEST:,} bits above and below its fraction bar")
        return Fraction(numerator, denominator)
    if isinstance(value, Decimal):
        return _read_decimal(argument, value)
    if isinstance(value, float | np.floating):  # np.longdouble too: its ratio is exact
        return Fraction(*value.as_integer_ratio()) if np.isfinite(value) else float(value)
    # ml_dtypes' real scalars; float() is exact for them
    if isinstance(value, np.generic) and hasattr(value, "__float__") and not hasattr(value, "__complex__"):
        return read(argument, float(value))
    raise NotANumber(argument, value, _REAL)


def _read_decimal(argument: str, value: Decimal) -> Extended:
    if not value.is_finite():
        return math.nan if value.is_nan() else float(value)
    _, digits, exponent = value.as_tuple()
    if len(digits) + abs(int(exponent)) > _LARGEST * 3 // 10:
        raise OutOfRange(argument, value, f"a decimal of at most {_LARGEST * 3 // 10:,} digits, its exponent's zeros counted")
    return Fraction(value)


def _read_text(argument: str, text: str) -> Extended:
    stripped = text.strip()
    if stripped.lower() in _NONFINITE:
        return _NONFINITE[stripped.lower()]
    if _DECIMAL.fullmatch(stripped) or _RATIO.fullmatch(stripped):
        numerator, _, denominator = stripped.partition("/")
        return Fraction(Decimal(numerator)) / Fraction(Decimal(denominator or 1))  # int() stops at 4300 digits
    if _HEXADECIMAL.fullmatch(stripped):
        return _read_hexadecimal(stripped.lower())
    raise NotANumber(argument, text, _REAL + " (exponents of up to four digits)")


def _read_hexadecimal(text: str) -> Fraction:
    """[-]0xh.hhhp[+-]d, exactly, however many digits it has."""
    mantissa, _, exponent = text.partition("p")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction, 16) * Fraction(2) ** (int(exponent or "0") - 4 * len(fraction))


def read_beta(value: object) -> Fraction:
    """beta: any finite real number. Raises NotANumber or NotFinite."""
    beta = read("beta", value)
    if not isinstance(beta, Fraction):
        raise NotFinite("beta", value, "a finite number")
    return beta


def read_label_smoothing(value: object) -> Fraction:
    """label_smoothing: a number in [0, 1]. Raises NotANumber, NotFinite or OutOfRange."""
    smoothing = read("label_smoothing", value)
    if not isinstance(smoothing, Fraction):
        raise NotFinite("label_smoothing", value, "a number in [0, 1]")
    if not 0 <= smoothing <= 1:
        raise OutOfRange("label_smoothing", value, "a number in [0, 1]")
    return smoothing


_READERS: dict[str, Callable[[object], Extended]] = {"beta": read_beta, "label_smoothing": read_label_smoothing}


def broadcast(**arguments: object) -> list[NDArray[np.object_]]:
    """Each argument read exactly, as object arrays of one common shape (() where all are scalars).

    Raises ShapeMismatch, naming every argument's shape, and what `read` raises.
    """
    arrays = [_object_array(name, value) for name, value in arguments.items()]
    check_shapes(arguments, arrays)
    return list(np.broadcast_arrays(*arrays))


def check_shapes(names: Iterable[str], arrays: Sequence[NDArray[Any]]) -> None:
    """Raises ShapeMismatch, naming each array and its shape, unless they broadcast to one shape."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise ShapeMismatch(f"the arguments do not broadcast to one shape: {shapes}") from None


def _object_array(name: str, value: object) -> NDArray[np.object_]:
    reader = _READERS.get(name, functools.partial(read, name))
    items = elements(name, value)
    if items.dtype == np.float64:  # each number once, as Python's own
        flat = items.ravel().tolist()
        known = {x: reader(x) for x in dict.fromkeys(flat)}
        return np.fromiter((known[x] for x in flat), dtype=object, count=items.size).reshape(items.shape)
    out = np.empty(items.shape, dtype=object)
    for index in np.ndindex(items.shape):
        out[index] = reader(items[index])
    return out


def elements(argument: str, value: object) -> NDArray[Any]:
    """The elements as they are: an array's own dtype, objects for anything else; shape () for a single one.

    Raises NotANumber for ragged rows, and for a mask that hides something.
    """
    if _hides(value):
        raise NotANumber(argument, value, _UNMASKED)
    try:
        return np.asarray(value, dtype=None if hasattr(value, "dtype") else object)
    except (TypeError, ValueError, RuntimeError):
        raise NotANumber(argument, value, "an array whose rows have equal lengths, of " + _REAL) from None


def _hides(value: object) -> bool:
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.ma.getmaskarray(value).any())
    return isinstance(value, list | tuple) and any(_hides(item) for item in value)


def floats(argument: str, value: object) -> NDArray[np.float64]:
    """The same numbers in float64, to the last bit: for the functions that compute on whole arrays.

    Raises NotANumber as `read` does, and NotBinary64, naming the first number that binary64 does not hold.
    """
    if type(value) is np.ndarray and value.dtype == np.float64:
        return value if value.dtype.isnative else value.astype(np.float64)
    items = elements(argument, value)
    if items.dtype in _HELD or (items.dtype == object and {type(item) for item in items.flat} == {float}):
        return items.astype(np.float64)
    out = np.empty(items.shape)
    for index in np.ndindex(items.shape):
        out[index] = _as_float(argument, items[index])
    return out


def single(argument: str, value: object, *, finite: bool = False) -> float:
    """One number that binary64 holds, as a float. Raises what `floats` raises, and NotFinite where finite is asked for."""
    number = _as_float(argument, value)
    if finite and not math.isfinite(number):
        raise NotFinite(argument, value, "a finite number")
    return number


def _as_float(argument: str, value: object) -> float:
    if isinstance(value, float):
        return float(value)
    exact = read(argument, value)
    if isinstance(exact, float):
        return exact
    try:
        near = float(exact)
    except OverflowError:
        near = math.inf
    if not math.isfinite(near) or Fraction(near) != exact:
        raise NotBinary64(argument, value, "a number that binary64 holds: this function rounds nothing")
    return float(value) if exact == 0 and isinstance(value, np.floating) else near  # the zero keeps its sign


def _is_integer(value: object) -> TypeGuard[numbers.Integral]:
    return isinstance(value, numbers.Integral) and not isinstance(value, _REFUSED)  # a duration is an Integral, too


def integer(argument: str, value: object, allowed: str, least: float = -math.inf, most: float = math.inf) -> int:
    """One whole number from least to most. Raises NotAnInteger and OutOfRange."""
    if not _is_integer(value):
        raise NotAnInteger(argument, value, allowed)
    if not least <= int(value) <= most:
        raise OutOfRange(argument, value, allowed)
    return int(value)


def integers(argument: str, value: object, allowed: str) -> NDArray[Any]:
    """Whole numbers: an integer array as it is, or Python's integers as objects. Raises NotAnInteger."""
    items = elements(argument, value)
    if items.dtype.kind in "ui":
        return items
    if items.size == 0 and items.dtype.kind in "fO":
        return items.astype(np.int64)
    for item in items.flat:
        if not _is_integer(item):
            raise NotAnInteger(argument, item, allowed)
    return items
