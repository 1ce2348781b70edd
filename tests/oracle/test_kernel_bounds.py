"""The kernel's own bounds against the forms that correct code takes, each operation rounded into the format."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from oracle import FORMATS, Format, bounds
from oracle.formats import Floats

Array = NDArray[np.floating]
Function = Callable[[Array], Array]
DTYPES = {"binary16": np.float16, "bfloat16": ml_dtypes.bfloat16, "binary32": np.float32, "binary64": np.float64}


def number(like: Array, value: float) -> Array:
    found: Array = like.dtype.type(value)
    return found


def by_product(t: Array) -> Array:
    return np.exp2(t * number(t, 1 / np.log(2)))


def by_quotient(t: Array) -> Array:
    return np.exp2(t / number(t, np.log(2)))


def artanh(y: Array) -> Array:
    return number(y, 2) * np.arctanh(y / (number(y, 2) + y))


def goldberg(y: Array) -> Array:
    """log(1 + y) y / ((1 + y) - 1): theorem 4 of Goldberg (1991)."""
    w, one = number(y, 1) + y, number(y, 1)
    return np.where(w == 1, y, np.log(w) * (y / np.where(w == 1, one, w - one)))


EXPONENTIALS: dict[str, Function] = {"exp": np.exp, "exp2 of a product": by_product, "exp2 of a quotient": by_quotient}
LOGARITHMS: dict[str, Function] = {"log1p": np.log1p, "artanh": artanh, "goldberg": goldberg}


def guarded(exp: Function, log1p: Function) -> Function:
    return lambda z: np.maximum(-z, number(z, 0)) + log1p(exp(-np.abs(z)))


def to_a_threshold(exp: Function, fmt: Format) -> Function:
    """log1p(e**-z) as far as it does not overflow and linear beyond, where the difference is below half an ulp."""
    limit = (fmt.precision + 3) * np.log(2)
    return lambda z: np.where(-z > limit, -z, np.log1p(exp(np.minimum(-z, number(z, limit)))))


def quotient(exp: Function) -> Function:
    def slope(z: Array) -> Array:
        y, one = exp(-np.abs(z)), number(z, 1)
        return np.where(z <= 0, one, y) / (one + y)

    return slope


def reciprocal(exp: Function) -> Function:
    return lambda z: number(z, 1) / (number(z, 1) + exp(z))


def differentiated(exp: Function) -> Function:
    """What automatic differentiation makes of max(-z, 0) + log1p(e**-|z|), with 1/2 at its kink."""

    def slope(z: Array) -> Array:
        y, one = exp(-np.abs(z)), number(z, 1)
        part = (one / (one + y)) * y
        return np.where(z > 0, part, np.where(z < 0, one - part, number(z, 0.5)))

    return slope


def half_tanh(exp: Function) -> Function:
    return lambda z: np.where(z < 0, number(z, 0.5) + number(z, 0.5) * np.tanh(number(z, -0.5) * z), quotient(exp)(z))


def of_the_difference(exp: Function) -> Function:
    return lambda z: exp(-z - guarded(exp, np.log1p)(z))


SLOPES = (quotient, reciprocal, differentiated, half_tanh, of_the_difference)


@pytest.fixture(params=FORMATS, ids=str)
def fmt(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def logits(fmt: Format) -> Floats:
    """Every number of a 16-bit format; in the wide ones where kernels err, and far out."""
    if fmt.width == 16:
        values = fmt.all_values()
        return values[np.isfinite(values)]
    rng, far = np.random.default_rng(1), -0.69 * fmt.emin
    parts = [rng.uniform(-a, a, 5000) for a in (1, 3, 40, min(far, 120), far)]
    return np.unique(fmt.round_array(np.concatenate(parts)))


def worst(fmt: Format, forms: dict[str, Function], bound: Callable[[Floats, Format], bounds.Acceptance]) -> dict[str, float]:
    z = logits(fmt)
    each = bound(z, fmt)
    with np.errstate(all="ignore"):
        return {
            name: float(each.rho(form(z.astype(DTYPES[fmt.name])).astype(np.float64)).max()) for name, form in forms.items()
        }


def test_every_form_of_the_value_is_within_the_bound(fmt: Format) -> None:
    forms = {f"{e}, {name}": guarded(exp, log) for e, exp in EXPONENTIALS.items() for name, log in LOGARITHMS.items()}
    forms |= {f"{e}, threshold": to_a_threshold(exp, fmt) for e, exp in EXPONENTIALS.items()}
    found = worst(fmt, forms, bounds.kernel_losses)
    assert max(found.values()) <= 0.9, found
    assert max(found.values()) > 0.4


def test_every_form_of_the_derivative_is_within_the_bound(fmt: Format) -> None:
    forms = {f"{e}, {make.__name__}": make(exp) for e, exp in EXPONENTIALS.items() for make in SLOPES}
    found = worst(fmt, forms, bounds.kernel_slopes)
    assert max(found.values()) <= 0.9, found
    assert max(found.values()) > 0.4


def bump(exp: Function) -> Function:
    def second(z: Array) -> Array:
        y, one = exp(-np.abs(z)), number(z, 1)
        return y / ((one + y) * (one + y))

    return second


def of_both(slope: Function) -> Function:
    return lambda z: slope(z) * slope(-z)


def test_every_form_of_the_second_derivative_is_within_the_bound(fmt: Format) -> None:
    forms = {f"{e}, {make.__name__}": of_both(make(exp)) for e, exp in EXPONENTIALS.items() for make in SLOPES}
    forms |= {e: bump(exp) for e, exp in EXPONENTIALS.items()}
    found = worst(fmt, forms, bounds.curvatures)
    assert max(found.values()) <= 0.9, found
    assert max(found.values()) > 0.4
    z = logits(fmt)
    zz = z.astype(DTYPES[fmt.name])
    slope, one = quotient(np.exp)(zz), number(zz, 1)
    rho = bounds.curvatures(z, fmt).rho((slope * (one - slope)).astype(np.float64))
    assert (rho[z < 0] > 1).any()  # 1 - s cancels where s is near 1, and nowhere else
    assert (rho[z > 0] <= 1).all()


@pytest.mark.no_cover
def test_what_is_further_off_is_outside(fmt: Format) -> None:
    """A constant factor, an absorbed tail, a slope from 1 - sigma, the linear part alone."""
    z = logits(fmt)
    u, zz = fmt.unit_roundoff, z.astype(DTYPES[fmt.name])
    factor = number(zz, 1 + 2 ** (np.ceil(np.log2(bounds.kernel_must(fmt))) + 1) * u)
    one = number(zz, 1)
    with np.errstate(all="ignore"):
        values = [guarded(np.exp, np.log1p)(zz) * factor, guarded(np.exp, lambda y: np.log(one + y))(zz)]
        slopes = [quotient(np.exp)(zz) * factor, one - quotient(np.exp)(-zz)]
    for bound, wrongs in ((bounds.kernel_losses, values), (bounds.kernel_slopes, slopes)):
        for wrong in wrongs:
            assert (bound(z, fmt).rho(wrong.astype(np.float64)) > 1).any()


def test_in_bfloat16_two_point_seven_per_cent_is_outside_below_1() -> None:
    z = np.linspace(-20, 1, 400)
    for bound in (bounds.kernel_losses, bounds.kernel_slopes):
        each = bound(z, FORMATS[1])
        for share in (1 - 0.027, 1 + 0.027):
            assert (each.rho(bounds.centre(each.exact) * share) > 1).all()
