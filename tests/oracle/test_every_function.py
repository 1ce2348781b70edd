"""Every public function of the oracle, found in the package itself, with every kind of number.

A number that a function takes is taken exactly: whatever its kind, the answer is that of the Fraction, the float and the int
that equal it. What it does not take it refuses by an error of its own. A new function that is forgotten here fails.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import oracle
from oracle import Dyadic, OracleError, Real, binary16, bounds, enclosure, first_tier, judging, sequence, ulp
from oracle.bounds import Pairs

ONES = np.ones(2)
ACCEPTANCE = bounds.loss(Pairs(ONES, 0 * ONES, 0 * ONES, 0 * ONES, 1.0, 0.0), binary16)
BALL = enclosure.exact(ONES)
OBJECTS: dict[type, Any] = {
    Real: Real.softplus(3), oracle.Format: binary16, Dyadic: Dyadic(3, 1), enclosure.Enclosure: BALL,
    bounds.Acceptance: ACCEPTANCE, sequence.Computable: sequence.token_logp([1, 2], 0),
}  # fmt: skip
"""The public classes whose methods are called, and on what."""
RECORDS = {oracle.Gradient, oracle.Metrics, oracle.Interval, judging.Judged}
"""Public classes that hold what functions return."""
OPERATORS = {"__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__"}
GIVEN: dict[str, Any] = {
    "fmt": binary16, "flush": False, "ratios_first": False, "average": False, "pairs": Pairs(ONES, ONES, ONES, ONES, 1.0, 0.0),
    "each": ACCEPTANCE, "acceptance": ACCEPTANCE, "within": None, "name": "binary16", "mask": True, "accumulation": None,
}  # fmt: skip
"""Parameters that are no numbers."""
NUMBERS: dict[str, Any] = {
    "policy_chosen_logps": 1.5, "policy_rejected_logps": 0.25, "ref_chosen_logps": 0.5, "ref_rejected_logps": 0.125,
    "policy_chosen": 1.5, "policy_rejected": 0.25, "ref_chosen": 0.5, "ref_rejected": 0.125,
    "beta": 0.5, "label_smoothing": 0.25, "z": 1.5, "got": 0.5, "values": 0.5, "value": 0.5, "x": 0.5, "exact": 0.5,
    "numbers": 0.5, "other": 0.5, "factor": 0.5, "divisor": 0.5, "ulps": 2.0, "relative": 0.5, "absolute": 0.5, "a": 0.5,
    "b": 0.5, "bits": 5, "ordinals": 5, "n": 3, "precision": 20, "power": 1, "mantissa": 3, "exponent": 1, "lean": 0,
    "zeros": 0, "temperature": 0.5, "logits": [0.5, 1.5], "label": 0, "labels": [0],
}  # fmt: skip
"""Parameters that are numbers, and what is given for those that are not looked at."""
UNASKED = {
    "oracle.Format": "its fields are a format's, not numbers that are computed with",
    "oracle.Format.all_values": "",
    "oracle.enclosure.Enclosure": "a ball's fields; `exact` makes one of numbers",
    "oracle.enclosure.Enclosure.take": "indices, as NumPy's",
    "oracle.enclosure.Enclosure.replaced": "places, and balls",
    "oracle.enclosure.Enclosure.reshape": "a shape",
    "oracle.enclosure.Enclosure.broadcast_to": "a shape",
    "oracle.bounds.Acceptance": "balls",
    "oracle.bounds.Acceptance.hull": "",
    "oracle.bounds.centre": "a ball",
    "oracle.bounds.kernel_must": "a format",
    "oracle.bounds.kernel_least": "a format",
    "oracle.enclosure.assert_ieee": "",
}
NOTHING = {"oracle.Real.nonfinite", "oracle.Dyadic.compare"}
"""Functions of no finite number."""
SHAPED = {"oracle.judging.losses", "oracle.judging.derivatives"}
"""Functions of one-dimensional arrays."""
SEQUENCES = {name for name in dir(sequence) if not name.startswith("_")}


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and method, by its full name."""
    modules = {"oracle": oracle.__all__, "oracle.enclosure": enclosure.__all__, "oracle.bounds": bounds.__all__}
    found = [(f"{module}.{name}", getattr(eval(module), name)) for module, names in modules.items() for name in names]
    for module in (judging, first_tier, ulp):
        own = [(name, item) for name, item in vars(module).items() if not name.startswith("_")]
        found += [(f"{module.__name__}.{n}", f) for n, f in own if getattr(f, "__module__", "") == module.__name__]
    for name, item in found:
        if isinstance(item, type):
            if issubclass(item, Exception) or item in RECORDS:
                continue
            if item not in {Real, sequence.Computable}:
                yield name, item
            for attribute in vars(item):
                if (attribute in OPERATORS or not attribute.startswith("_")) and callable(getattr(item, attribute)):
                    yield f"{name}.{attribute}", getattr(OBJECTS[item], attribute)
        elif inspect.isfunction(item):
            yield name, item


FUNCTIONS = {name: item for name, item in public() if not name.startswith("oracle.sequence")}


def slots() -> Iterator[tuple[str, str]]:
    """Every function with every parameter of it that is a number."""
    for name, function in FUNCTIONS.items():
        if name not in UNASKED:
            for parameter in inspect.signature(function).parameters:
                if parameter in NUMBERS:
                    yield name, parameter


VALUES = [*map(Fraction, (257, 2**53 + 1, "1/10", "-1/2", "1/4", 3, 1, 10**400))]
EXACT: list[Callable[[Fraction], Any]] = [
    int, np.int32, np.int64, np.uint64, float, np.float16, np.float32, np.float64, np.longdouble, Decimal, Fraction,
]  # fmt: skip
WHOLE = {int, np.int32, np.int64, np.uint64}
NO_NUMBERS = [True, np.bool_(True), 1j, np.complex64(1), None, b"1", object(), np.ma.masked, np.timedelta64(1, "s"), "one"]


def kinds(value: Fraction) -> Iterator[Any]:
    """The value as every kind of number that holds it."""
    yield Real.rational(value)
    yield f"{value.numerator}/{value.denominator}"
    for kind in EXACT:
        try:
            with np.errstate(all="ignore"):
                made = kind(int(value)) if kind in WHOLE else kind(value.numerator) / kind(value.denominator)
            ratio = (int(made), 1) if kind in WHOLE else made.as_integer_ratio()
        except (OverflowError, ValueError):  # too large, or an infinity's ratio
            continue
        if Fraction(*ratio) == value:
            yield made


def plain(result: Any) -> Any:
    """A result as lists, texts and numbers that compare equal where they are the same to the bit."""
    if isinstance(result, np.ndarray):
        return [result.shape, *(plain(item) for item in result.flat)]
    if is_dataclass(result) and not isinstance(result, type):
        return [plain(getattr(result, field.name)) for field in fields(result)]
    if isinstance(result, tuple | list):
        return [plain(item) for item in result]
    if isinstance(result, float | np.floating):
        return float(result).hex()
    return result


def answer(name: str, parameter: str, value: Any) -> Any:
    """What the function says of the value, or the named error it refuses it with."""
    function = FUNCTIONS[name]
    arguments: dict[str, Any] = {}
    for other in inspect.signature(function).parameters:
        given = NUMBERS[other] if other in NUMBERS else GIVEN[other]
        arguments[other] = [given] if name in SHAPED and other in NUMBERS else given
    arguments[parameter] = value
    try:
        with np.errstate(all="ignore"):
            return plain(function(**arguments))
    except OracleError as error:
        return error


def test_every_function_and_parameter_is_known() -> None:
    unknown = [
        (name, parameter)
        for name, function in FUNCTIONS.items()
        if name not in UNASKED
        for parameter in inspect.signature(function).parameters
        if parameter not in NUMBERS and parameter not in GIVEN
    ]
    assert unknown == []
    assert UNASKED.keys() <= FUNCTIONS.keys()
    assert len(FUNCTIONS) > 70


@pytest.mark.parametrize(("name", "parameter"), [*slots()])
def test_a_number_of_any_kind_is_taken_exactly_or_refused_by_name(name: str, parameter: str) -> None:
    accepted = 0
    for value in VALUES:
        for wrap in (lambda v: v, lambda v: [v]):
            if name in SHAPED and not isinstance(wrap(0), list):
                continue
            truths = [wrap(value), wrap(float(value))] if float_holds(value) else [wrap(value)]
            truths += [wrap(int(value))] if value.denominator == 1 else []
            told = [answer(name, parameter, truth) for truth in truths]
            taken = [t for t in told if not isinstance(t, OracleError)]
            assert all(t == taken[0] for t in taken), (value, told)
            for kind in kinds(value):
                got = answer(name, parameter, wrap(kind))
                assert isinstance(got, OracleError) or got == taken[0], (value, repr(kind), got, taken)
                accepted += not isinstance(got, OracleError)
    assert accepted or name in NOTHING


def float_holds(value: Fraction) -> bool:
    try:
        return Fraction(float(value)) == value
    except OverflowError:
        return False


@pytest.mark.parametrize(("name", "parameter"), [*slots()])
def test_what_is_no_number_is_refused_by_name(name: str, parameter: str) -> None:
    for bad in NO_NUMBERS:
        for value in (bad, [bad], [0.5, bad]):
            assert isinstance(answer(name, parameter, value), OracleError), repr(value)
    hidden = np.ma.MaskedArray([0.5, 0.25], mask=[False, True])
    for value in (hidden, [hidden, hidden]):
        assert isinstance(answer(name, parameter, value), OracleError), repr(value)


@pytest.mark.parametrize(("name", "parameter"), [*slots()])
def test_arrays_of_any_dtype_are_taken_exactly_or_refused_by_name(name: str, parameter: str) -> None:
    for dtype in (np.float16, np.float32, np.longdouble, ml_dtypes.bfloat16, np.int8, np.uint64, object, ">f8"):
        array = np.array([3, 1], dtype=dtype)
        got, truth = answer(name, parameter, array), answer(name, parameter, np.array([3.0, 1.0]))
        whole = answer(name, parameter, np.array([3, 1]))
        assert isinstance(got, OracleError) or got in (truth, whole), (dtype, got, truth)
    odd = np.array([np.longdouble(1) / 3, 1])
    got = answer(name, parameter, odd)
    exact = answer(name, parameter, [Fraction(*x.as_integer_ratio()) for x in odd])
    assert isinstance(got, OracleError) or got == exact
    assert math.isfinite(float(odd[0]))
