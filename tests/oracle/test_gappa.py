"""The rounding errors of the kernel, machine-checked: each script in tests/oracle/gappa is proved by Gappa from here.

Every hypothesis that a script takes from a table or a series is checked against the table itself, or bounded in Arb.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from flint import arb, ctx

from oracle import ball, kernel
from oracle.tables import STEPS, tables

pytestmark = pytest.mark.no_cover  # what it runs is counted where others run it

SCRIPTS = Path(__file__).parent / "gappa"
GAPPA = shutil.which("gappa")
needs_gappa = pytest.mark.skipif(GAPPA is None, reason="gappa is not installed (Debian: apt-get install gappa)")

STATED = {
    "R_HEAD": "0x1.632p-12",  # |r|, the reduced argument of the exponential
    "R2": "0x1.9p-39",
    "DX": "0x1.3p-91",
    "DELTA": "0x1p-121",
    "TAIL": "0x1p-26",
    "TABLE": "0x1p-80",
    "W": "0x1.39dp-11",  # |w|, the reduced argument of the logarithm
    "W1": "0x1.3ap-11",
    "W2": "0x1.18p-36",
    "W_ERROR": "0x1.2p-89",
}
"""Bounds that one script proves or a test here checks, and another script assumes."""

EXPONENTIAL, LOSS, SLOPE, PRODUCT = 2.0**-73.5, 2.0**-73, 2.0**-74, 8.1 * 2.0**-106
"""The relative errors that docs/enclosures.md states: of exp(-t), and what f, s and a product add to their arguments'."""

SERIES = {f"C{k}": (1 / k).hex() for k in (3, 4, 5, 6, 7)}
GROUPS = ((1, 1), (2, 2), (3, 16), (17, STEPS))
"""Cells i of the logarithm that share a script's bounds: the first ones are the worst, since the loss is least there."""


def number(text: str) -> float:
    return float.fromhex(text)


def proves(name: str, values: dict[str, str]) -> bool:
    """Whether Gappa proves the script with these values; a warning (a wrong hint, say) is an error."""
    script = re.sub(r"@(\w+)@", lambda match: values[match[1]], (SCRIPTS / name).read_text())
    assert GAPPA is not None
    done = subprocess.run([GAPPA, "-Eno-auto-dichotomy"], input=script, text=True, capture_output=True, check=False)
    problems = [line for line in done.stderr.splitlines() if "Warning" in line or "rror" in line]
    unproved = [line for line in problems if "properties were not satisfied" in line]
    assert problems == unproved, problems
    assert (done.returncode == 0) == (not unproved)
    return not unproved


def first_half() -> dict[str, str]:
    first, second, third = (part.hex() for part in tables().log_step)
    return STATED | {"STEPS_PER_UNIT": kernel._STEPS_PER_UNIT.hex(), "L1": first, "L2": second, "L3": third}


def second_half() -> dict[str, str]:
    coefficients = {"C6": (1 / 6).hex(), "C24": (1 / 24).hex(), "C120": (1 / 120).hex()}
    return STATED | coefficients | {"CUT": CUT_EXPONENTIAL, "BOUND": EXPONENTIAL.hex()}


CUT_EXPONENTIAL = "0x1.5p-79"


def loss_of(first: int, last: int) -> dict[str, str]:
    """The hypotheses of loss.g for cells first to last, from the table, and the bound: LOSS times their least loss."""
    table, cells = tables(), slice(first, last + 1)
    log, tail = table.log_head[cells], np.abs(table.log_tail[cells])
    w = largest_w(first, last)
    values = {
        "W1": min(w.hex(), STATED["W1"], key=number),
        "LOG_LOW": float(log.min()).hex(),
        "LOG_HIGH": float(log.max()).hex(),
    }
    values |= {"LOG_TAIL": float(tail.max()).hex()}
    values |= {"LOG_LOW": float(log.min()).hex(), "LOG_HIGH": float(log.max()).hex()}
    values |= {"TABLE": (float(log.max()) * 2.0**-106).hex()}
    least = math.log1p((first - 0.5) / STEPS) * (1 - 2.0**-50)
    return STATED | SERIES | values | {"CUT": cut_of_logarithm(w).hex(), "BOUND": (LOSS * least).hex()}


def loss_at_0() -> dict[str, str]:
    return STATED | SERIES | {"CUT": cut_of_logarithm(2.0**-11 + 2.0**-60).hex(), "BOUND": LOSS.hex()}


def largest_w(first: int, last: int) -> float:
    """The largest |R(1 + y) - 1| over the cells, exactly, rounded up."""
    worst = Fraction(0)
    for i in range(first, last + 1):
        reciprocal = Fraction(float(tables().reciprocal[i]))
        for y in (Fraction(2 * i - 1, 2 * STEPS), min(Fraction(2 * i + 1, 2 * STEPS), Fraction(1))):
            worst = max(worst, abs(reciprocal * (1 + y) - 1))
    return math.nextafter(float(worst), 1)


def cut_of_logarithm(w: float) -> float:
    """Bounds log1p(W) less the series to W^7 with the kernel's coefficients, for |W| <= w: the rest and their roundings."""
    size = Fraction(w)
    rest = size**8 / 8 / (1 - size)
    return float(rest + sum(abs(Fraction(1, k) - Fraction(1 / k)) * size**k for k in range(3, 8))) * (1 + 2.0**-50)


ALL = [
    ("reduction.g", first_half, "DX"),
    ("exponential.g", second_half, "BOUND"),
    ("argument.g", lambda: dict(STATED), "W_ERROR"),
    ("loss_at_0.g", loss_at_0, "BOUND"),
    *[("loss.g", lambda group=group: loss_of(*group), "BOUND") for group in GROUPS],
    ("slope.g", lambda: STATED | {"BOUND": SLOPE.hex()}, "BOUND"),
    ("multiply.g", lambda: {"BOUND": PRODUCT.hex()}, "BOUND"),
]
IDS = [f"{name}-{i}" for i, (name, _, _) in enumerate(ALL)]


@needs_gappa
@pytest.mark.parametrize(("name", "values", "_bound"), ALL, ids=IDS)
def test_gappa_proves_the_stated_bound(name, values, _bound) -> None:
    assert proves(name, values())


@needs_gappa
@pytest.mark.parametrize(("name", "values", "bound"), ALL, ids=IDS)
def test_gappa_does_not_prove_a_small_part_of_it(name, values, bound) -> None:
    found = values()
    assert not proves(name, found | {bound: (number(found[bound]) / 64).hex()})


@needs_gappa
@pytest.mark.parametrize(
    ("name", "values", "hypothesis", "weaker"),
    [
        ("reduction.g", first_half, "DELTA", "0x1p-60"),
        ("exponential.g", second_half, "TABLE", "0x1p-70"),
        ("argument.g", lambda: dict(STATED), "W", "0x1p-9"),
        ("loss_at_0.g", loss_at_0, "CUT", "0x1p-80"),
        ("loss.g", lambda: loss_of(1, 1), "W_ERROR", "0x1p-80"),
        ("slope.g", lambda: STATED | {"BOUND": SLOPE.hex()}, "W1", "0x1p-8"),
    ],
)
def test_gappa_does_not_prove_it_from_a_weaker_hypothesis(name, values, hypothesis, weaker) -> None:
    assert not proves(name, values() | {hypothesis: weaker})


def test_the_sums_of_the_proved_bounds_are_what_the_kernel_charges() -> None:
    """The error of y passes to f and to s at most once over, since y f'/f and 1/(1 + y) are at most 1; 2**-119: depth."""
    second_order = 2.0**-119 + 2.0**-140
    assert EXPONENTIAL + LOSS + second_order < 2.0**-72.2 < kernel.RELATIVE_ERROR / 2
    assert EXPONENTIAL + SLOPE + second_order < 2.0**-72.7 < kernel.RELATIVE_ERROR / 2
    assert PRODUCT < ball.MULTIPLY_ERROR


def test_the_hypotheses_on_the_tables_hold() -> None:
    """Those on power_tail, on both tables' errors and on ln 2/1024 are checked with Arb in test_doubledouble.py."""
    table = tables()
    assert np.abs(table.power_tail).max() <= number(STATED["TAIL"])
    assert table.power_head.min() == 1 and table.power_head.max() < 2
    assert largest_w(1, STEPS) <= number(STATED["W"])
    assert largest_w(0, 0) <= number(STATED["W1"])
    assert (table.reciprocal[1:] <= 0xFFF / 0x1000).all() and table.reciprocal[0] == 1
    assert table.log_head[0] == table.log_tail[0] == 0
    assert table.log_head[1] > number(STATED["W1"]) and (np.diff(table.log_head) >= 0).all()  # fast_two_sum's condition
    assert [i for first, last in GROUPS for i in range(first, last + 1)] == list(range(1, STEPS + 1))
    assert math.ceil(kernel.LARGEST_T * kernel._STEPS_PER_UNIT) <= 24204407  # the largest n


def test_the_hypotheses_on_the_constants_and_the_series_hold() -> None:
    ctx.prec = 256
    step = arb.const_log2() / STEPS
    assert abs(sum((arb(part) for part in tables().log_step), arb(0)) - step) < arb(number(STATED["DELTA"]))
    size = Fraction(number(STATED["R_HEAD"])) + Fraction(1, 2**38)
    cut = size**6 / 720 / (1 - size) + sum(
        abs(Fraction(1, k) - Fraction(1 / k)) * size**power for k, power in ((6, 3), (24, 4), (120, 5))
    )
    assert cut < Fraction(number(CUT_EXPONENTIAL))
    assert arb(0.9996) < (-arb(float(size))).exp() and arb(float(size)).exp() < arb(1.0004)


def test_the_loss_is_at_least_what_the_scripts_divide_by() -> None:
    """In cell 0, log1p(y)/y >= 1 - y/2; and log1p in float64, which `loss_of` uses, is within 2**-50 of the truth here."""
    assert 1 - 2.0**-12 > 0.9997
    ctx.prec = 128
    for first, _ in GROUPS:
        y = (first - 0.5) / STEPS
        assert arb(math.log1p(y)) * (1 - arb(2.0**-50)) < arb(y).log1p()
