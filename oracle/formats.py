"""The binary floating-point formats: fields, bit patterns, neighbours, ulp quantum, round to nearest even.

Source: IEEE Std 754-2019, sections 3.3 to 3.6 and 4.3.1; bfloat16 has binary32's exponent range and p = 8.
Every number of every format here is exactly a binary64, so arrays of values travel as float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle.arguments import elements, floats, integer, integers, read
from oracle.doubledouble import assembled, assert_ieee, power_of_two
from oracle.dyadic import Dyadic, truncate
from oracle.errors import NotAnInteger, NotBinary64, NotFinite, NotRepresentable, OutOfRange, UnknownFormat

Floats = NDArray[np.float64]
Bits = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format: precision p (hidden bit included), exponent range [emin, emax], storage width in bits."""

    name: str
    precision: int
    emin: int
    emax: int
    width: int

    def __str__(self) -> str:
        return self.name

    @property
    def unit_roundoff(self) -> float:
        """u = 2**-p: the largest relative error of one rounding to nearest in the normal range."""
        return assembled(1, -self.precision)

    @property
    def smallest_subnormal(self) -> float:
        """eta = 2**(emin - p + 1), the least positive number."""
        return assembled(1, self.emin - self.precision + 1)

    @property
    def smallest_normal(self) -> float:
        """2**emin."""
        return assembled(1, self.emin)

    @property
    def largest(self) -> float:
        """2**emax * (2 - 2**(1-p)), the largest finite number."""
        return assembled(2**self.precision - 1, self.emax - self.precision + 1)

    @property
    def overflow_threshold(self) -> Fraction:
        """2**emax * (2 - 2**-p): from here on, round to nearest even gives infinity."""
        return Fraction(2) ** self.emax * (2 - Fraction(1, 2**self.precision))

    @property
    def bits_dtype(self) -> np.dtype[Any]:
        """The unsigned NumPy integer that holds one bit pattern."""
        return np.dtype(f"u{self.width // 8}")

    def decode(self, bits: ArrayLike) -> Floats:
        """The values of an array of bit patterns, exactly, as float64. Raises NotRepresentable if one is too wide."""
        try:
            wide = integers("bits", bits, "an integer")
        except NotAnInteger:
            raise NotRepresentable(f"a bit pattern of {self.name} is an integer") from None
        if wide.dtype != self.bits_dtype and wide.size and (int(wide.max()) >> self.width or int(wide.min()) < 0):
            raise NotRepresentable(f"a bit pattern of {self.name} has {self.width} bits")
        patterns = np.ascontiguousarray(wide.astype(self.bits_dtype, copy=False))
        with np.errstate(invalid="ignore"):
            if self.name == "bfloat16":
                shifted = (patterns.astype(np.uint32) << np.uint32(16)).reshape(wide.shape)
                return shifted.view(np.float32).astype(np.float64)
            return patterns.view(f"f{self.width // 8}").reshape(wide.shape).astype(np.float64)

    def encode(self, values: ArrayLike) -> Bits:
        """The bit patterns of values that the format holds exactly; any NaN becomes the canonical quiet NaN.

        Raises NotRepresentable, naming the first value that is not a number of the format.
        """
        try:
            numbers = floats("values", values)
        except NotBinary64 as error:
            raise NotRepresentable(f"{error.value!r} is not a number of {self.name}") from None
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a cast, taken where it loses nothing
            if self.name == "bfloat16":
                wide = numbers.astype(np.float32)
                held = wide.view(np.uint32)
                if bool((wide == numbers).all()) and not (held & np.uint32(0xFFFF)).any():
                    return (held >> np.uint32(16)).astype(np.uint16)
            else:
                cast = numbers.astype(f"f{self.width // 8}")
                if bool((cast == numbers).all()):
                    return cast.view(self.bits_dtype)
        inexact = ~((self.round_array(numbers) == numbers) | np.isnan(numbers))
        if inexact.any():
            raise NotRepresentable(f"{float(numbers[inexact].flat[0])!r} is not a number of {self.name}")
        clean = np.where(np.isnan(numbers), np.nan, numbers)
        if self.name == "bfloat16":
            return (clean.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
        return clean.astype(f"f{self.width // 8}").view(self.bits_dtype)

    def round_array(self, values: ArrayLike) -> Floats:
        """Each number, of any kind, rounded once to nearest even into the format: subnormals gradual, overflow to infinity.

        Raises NotANumber.
        """
        try:
            return self._round_floats(floats("values", values))
        except NotBinary64:
            items = elements("values", values)
        rounded = np.empty(items.shape)
        for index in np.ndindex(items.shape):
            exact = read("values", items[index])
            rounded[index] = self.round_exact(exact) if isinstance(exact, Fraction) else exact
        return rounded

    def _round_floats(self, numbers: Floats) -> Floats:
        """In steps that are exact but for the rounding to an integer: products with powers of two."""
        assert_ieee()
        if self.precision == 53:
            return numbers.copy()
        if self.precision == 24:
            with np.errstate(invalid="ignore", over="ignore", under="ignore"):
                return numbers.astype(np.float32).astype(np.float64)
        exponents = ((numbers.view(np.int64) >> np.int64(52)) & np.int64(0x7FF)) - np.int64(1023)
        quantum = np.maximum(exponents, self.emin) - np.int64(self.precision - 1)
        with np.errstate(invalid="ignore", over="ignore"):
            rounded = np.rint(numbers * power_of_two(-quantum)) * power_of_two(quantum)
        return np.asarray(np.where(np.abs(rounded) > self.largest, np.copysign(np.inf, rounded), rounded))

    def round_exact(self, value: Fraction | Dyadic | int, lean: int = 0) -> float:
        """An exact number rounded to nearest even, once; exact for every format as a Python float, or an infinity.

        lean = +1 or -1 says that the true number lies above or below `value` by less than any float can see
        (the sticky bit): it decides the midpoints. A negative number too small for the format gives -0.0. Raises NotANumber
        and NotFinite.
        """
        if type(lean) is not int or not -1 <= lean <= 1:
            lean = integer("lean", lean, "-1, 0 or 1", -1, 1)
        if not isinstance(value, Dyadic):
            value, inexact = truncate(_finite(value), self.precision + 2)
            lean = (1 if value.sign >= 0 else -1) if inexact else lean
        if value.mantissa == 0:
            return -0.0 if lean < 0 else 0.0
        away = lean * value.sign
        if value.top > self.emax:  # and no huge shift below
            return math.inf * value.sign
        magnitude = abs(value.mantissa)
        quantum = self.quantum_exponent(value)
        shift = quantum - value.exponent
        if shift <= 0:
            steps = magnitude << -shift
        elif shift > magnitude.bit_length() + 1:
            steps = 0
        else:
            steps, rest, half = magnitude >> shift, magnitude & ((1 << shift) - 1), 1 << (shift - 1)
            tie = rest == half and (away > 0 or (away == 0 and steps & 1 == 1))
            steps += 1 if rest > half or tie else 0
        if steps and steps.bit_length() - 1 + quantum > self.emax:
            return math.inf * value.sign
        return math.copysign(assembled(steps, quantum), value.sign)

    def quantum_exponent(self, value: Fraction | Dyadic | int | float) -> int:
        """log2 of the ulp quantum of a non-zero exact number: min(max(floor(log2|x|), emin), emax) - p + 1.

        Source: Goldberg (1991), "What every computer scientist should know about floating-point arithmetic",
        section 1.2, with the exponent clamped to the format's range. Raises NotANumber, NotFinite, and OutOfRange for 0.
        """
        if not isinstance(value, Dyadic):
            value, _ = truncate(_finite(value), 2)
        if value.mantissa == 0:
            raise OutOfRange("value", 0, "a number other than 0, which is in no binade")
        return min(max(value.top, self.emin), self.emax) - self.precision + 1

    def quantum(self, value: Fraction | Dyadic | int | float) -> Fraction:
        """The ulp quantum at an exact number; at 0, the least subnormal. Raises NotANumber and NotFinite."""
        if not isinstance(value, Dyadic):
            value, _ = truncate(_finite(value), 2)
        exponent = self.emin - self.precision + 1 if value.mantissa == 0 else self.quantum_exponent(value)
        return Fraction(2) ** exponent

    def ordinals(self, values: ArrayLike) -> NDArray[np.int64]:
        """Each number's place in the format's order: consecutive numbers differ by 1, both zeros are at 0.

        NaN has no place and must not be asked for.
        """
        bits = self.encode(values).astype(np.uint64)
        sign_bit = np.uint64(1) << np.uint64(self.width - 1)
        magnitude = (bits & (sign_bit - np.uint64(1))).astype(np.int64)
        return np.where(bits & sign_bit != 0, -magnitude, magnitude)

    def from_ordinals(self, ordinals: ArrayLike) -> Floats:
        """The numbers at places in the format's order; places past an infinity are held at the infinity.

        Raises NotAnInteger.
        """
        places = integers("ordinals", ordinals, "a place in the order: an integer")
        infinity = int(self.ordinals(math.inf))
        if places.dtype == np.uint64:
            places = np.minimum(places, np.uint64(infinity))
        if places.dtype != object:  # the ends of a narrow integer's range may lie within the format's
            places = places.astype(np.int64)
        held = np.asarray(np.clip(places, -infinity, infinity), dtype=np.int64)
        magnitude = self.decode(np.abs(held).astype(self.bits_dtype))
        return np.where(held < 0, -magnitude, magnitude)

    def neighbours(self, values: ArrayLike) -> tuple[Floats, Floats]:
        """The next number below and the next above each value."""
        places = self.ordinals(values)
        return self.from_ordinals(places - 1), self.from_ordinals(places + 1)

    def all_values(self) -> Floats:
        """Every bit pattern decoded, in the order of the patterns; of a 16-bit format (MemoryError for others)."""
        if self.width > 16:
            raise MemoryError(f"{self.name} has 2**{self.width} bit patterns; walk its ordinals instead")
        return self.decode(np.arange(2**self.width, dtype=np.uint32))


binary16 = Format("binary16", 11, -14, 15, 16)
bfloat16 = Format("bfloat16", 8, -126, 127, 16)
binary32 = Format("binary32", 24, -126, 127, 32)
binary64 = Format("binary64", 53, -1022, 1023, 64)

FORMATS: tuple[Format, ...] = (binary16, bfloat16, binary32, binary64)
_ALIASES = {
    "float16": binary16,
    "fp16": binary16,
    "half": binary16,
    "bf16": bfloat16,
    "float32": binary32,
    "fp32": binary32,
    "single": binary32,
    "float64": binary64,
    "fp64": binary64,
    "double": binary64,
}


def _finite(value: object) -> Fraction:
    exact = value if type(value) is Fraction else read("value", value)
    if not isinstance(exact, Fraction):
        raise NotFinite("value", value, "a finite number")
    return exact


def get_format(name: str | Format) -> Format:
    """The format of that name: binary16, bfloat16, binary32, binary64, or float16, float32, float64, or fp16, bf16, ...

    Raises UnknownFormat for any other name.
    """
    if isinstance(name, Format):
        return name
    known = {fmt.name: fmt for fmt in FORMATS} | _ALIASES
    if not isinstance(name, str) or name not in known:
        raise UnknownFormat("format", name, "one of " + ", ".join(known))
    return known[name]
