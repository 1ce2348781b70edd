"""What the definitions accept, read exactly: each input becomes the rational that it is, or NaN or an infinity."""

from __future__ import annotations

import functools
import math
import numbers
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from oracle.errors import NotANumber, NotFinite, OutOfRange, ShapeMismatch

Extended = Fraction | float
"""A finite number as a Fraction, or a float that is NaN or infinite."""

_REAL = "a real number: an int, float, Fraction, Decimal, NumPy number, or text of a decimal or a hexadecimal float"
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE | re.ASCII)
_RATIO = re.compile(r"[+-]?\d+/0*[1-9]\d*", re.ASCII)
_HEXADECIMAL = re.compile(r"[+-]?0x([0-9a-f]+(\.[0-9a-f]*)?|\.[0-9a-f]+)(p[+-]?\d{1,4})?", re.IGNORECASE | re.ASCII)
_REFUSED = (bool, np.bool_, complex, np.complexfloating, np.timedelta64, np.datetime64, np.flexible)
_NONFINITE = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf}


def read(argument: str, value: object) -> Extended:
    """The exact value of one number: Fraction('1/10') for the text '0.1', the float's own dyadic for the float 0.1.

    Raises NotANumber, naming the argument.
    """
    if type(value) is float and math.isfinite(value):  # by far the most
        return Fraction(value)
    if isinstance(value, str):
        return _read_text(argument, value)
    if isinstance(value, _REFUSED):
        raise NotANumber(argument, value, _REAL)
    if isinstance(value, numbers.Rational | np.integer):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else math.nan if value.is_nan() else float(value)
    if isinstance(value, float | np.floating):  # np.longdouble too: its ratio is exact
        return Fraction(*value.as_integer_ratio()) if np.isfinite(value) else float(value)
    # ml_dtypes' real scalars; float() is exact for them
    if isinstance(value, np.generic) and hasattr(value, "__float__") and not hasattr(value, "__complex__"):
        return read(argument, float(value))
    raise NotANumber(argument, value, _REAL)


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
    try:
        return list(np.broadcast_arrays(*arrays))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(arguments, arrays, strict=True))
        raise ShapeMismatch(f"the arguments do not broadcast to one shape: {shapes}") from None


def _object_array(name: str, value: object) -> NDArray[np.object_]:
    reader = _READERS.get(name, functools.partial(read, name))
    try:
        items = np.asarray(value, dtype=None if hasattr(value, "dtype") else object)
    except (TypeError, ValueError, RuntimeError):
        raise NotANumber(name, value, "an array whose rows have equal lengths, of " + _REAL) from None
    if items.dtype == np.float64:  # each number once, as Python's own
        flat = items.ravel().tolist()
        known = {x: reader(x) for x in dict.fromkeys(flat)}
        return np.fromiter((known[x] for x in flat), dtype=object, count=items.size).reshape(items.shape)
    out = np.empty(items.shape, dtype=object)
    for index in np.ndindex(items.shape):
        out[index] = reader(items[index])
    return out
