"""The gap: predictions against scans of every number, and measurements against the predictions of their model."""

import dataclasses
import functools
import io
import json
import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from conformance.gap import measurement as gap
from conformance.gap import models as gap_models
from conformance.gap.models import Model, far, models, near, number, predict
from conformance.implementations import load, numpy_implementation
from conformance.reports.gap import render
from oracle import FORMATS, Real, bfloat16, binary16, binary32, binary64
from oracle.ulp import ulp_error

SIXTEEN = [binary16, bfloat16]
LN2 = Real.softplus(Fraction(0))


@functools.cache
def predicted(fmt):
    return {key: {p.model: p.logit for p in found} for key, found in predict(fmt).items()}


@functools.cache
def measured(fmt):
    data = gap.measure([load("numpy-naive"), load("torch-naive"), load("numpy")], [fmt])
    return {t.question.key: {m.implementation: m for m in t.measured} for t in data.formats[0].thresholds}


def first_by_scan(model, side, holds):
    fmt = model.target
    return next((z for i in range(near(fmt), far(fmt)) if holds(z := side * number(fmt, i))), None)


def gradient(model, z):
    """-RN(1/s) * ((1 - s) * s) as floating point evaluates it."""
    s = model.sigmoid(z)
    return -np.float64(model.reciprocal(z)) * (np.float64(1 - s) * s)


SCANS = {
    "loss-errs-above": lambda m, z: ulp_error(m.loss(z), Real.softplus(Fraction(-z)), m.target) > 1,
    "loss-errs-below": lambda m, z: ulp_error(m.loss(z), Real.softplus(Fraction(-z)), m.target) > 1,
    "loss-zero": lambda m, z: m.loss(z) == 0,
    "loss-infinite": lambda m, z: math.isinf(m.loss(z)),
    "gradient-zero": lambda m, z: gradient(m, z) == 0,
    "gradient-infinite": lambda m, z: math.isinf(gradient(m, z)),
    "gradient-nan": lambda m, z: math.isnan(gradient(m, z)),
}


@pytest.mark.no_cover
@pytest.mark.parametrize("question", gap.QUESTIONS, ids=lambda q: q.key)
def test_predictions_are_the_first_of_all_numbers_of_bfloat16(question):
    with np.errstate(invalid="ignore"):
        for model in models(bfloat16):
            found = first_by_scan(model, question.side, functools.partial(SCANS[question.key], model))
            assert found == predicted(bfloat16)[question.key][model.name], model.name


@pytest.mark.no_cover  # as in bfloat16
@pytest.mark.parametrize("question", gap.QUESTIONS, ids=lambda q: q.key)
def test_predictions_are_the_first_of_all_numbers_of_binary16_for_the_rounded_sigmoid(question):
    model = models(binary16)[-1]
    with np.errstate(invalid="ignore"):
        found = first_by_scan(model, question.side, functools.partial(SCANS[question.key], model))
    assert found == predicted(binary16)[question.key]["sigmoid"]


@pytest.mark.parametrize("fmt", SIXTEEN, ids=str)
def test_crossing_finds_what_the_walk_finds(fmt):
    model = models(fmt)[-1]
    assert gap_models._errs_by_crossing(model) == gap_models._errs_by_walking(model, -1)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_logits_are_where_the_closed_forms_say(fmt):
    p, found = fmt.precision, predicted(fmt)
    small = Fraction(1, 2**p)

    def first(key, model, closed):
        z = found[key][model]
        before = math.copysign(float(fmt.from_ordinals(fmt.ordinals(abs(z)) - 1)), z)
        return closed(Fraction(z)) and not closed(Fraction(before))

    def exponential_at_most(bound):  # e**-z <= bound  <=>  sigma(-z) <= bound / (1 + bound)
        return lambda z: (Real.sigmoid(-z) - bound / (1 + bound)).sign < 0

    assert first("loss-zero", "sigmoid", lambda z: (Real.sigmoid(z) - (1 - small / 2)).sign >= 0)
    assert first("loss-zero", "quotient", exponential_at_most(small * (1 + small)))
    half = Fraction(fmt.smallest_subnormal) / 2
    assert first("loss-infinite", "sigmoid", lambda z: (Real.sigmoid(z) - half).sign <= 0)
    assert first("loss-infinite", "quotient", lambda z: not exponential_at_most(fmt.overflow_threshold)(z))
    for key, extra in (("sigmoid", 1), ("quotient", 0)):
        assert abs(float(found["loss-zero"][key] - (p + extra) * LN2)) < 8 * 2.0**-p * p
    assert abs(found["loss-infinite"]["quotient"]) == pytest.approx((fmt.emax + 1) * math.log(2), rel=4 * 2.0**-p)


@pytest.mark.parametrize("fmt", [binary32, binary64], ids=str)
def test_first_errors_of_wide_formats_err_and_their_predecessors_do_not(fmt):
    for model in models(fmt):
        for key in ("loss-errs-above", "loss-errs-below"):
            z = predicted(fmt)[key][model.name]
            place = int(fmt.ordinals(abs(z)))
            assert model.errs(z)
            assert not any(model.errs(math.copysign(number(fmt, place - i), z)) for i in range(1, 20))


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_numpy_and_torch_do_what_their_models_predict(fmt):
    torch_model = "quotient32" if fmt.width == 16 else "quotient"
    for key, by_model in predicted(fmt).items():
        if not (key.startswith("loss-errs") and fmt.width > 16):  # there exp and log are not correctly rounded
            assert measured(fmt)[key]["torch-naive"].logit == by_model[torch_model], key
            if key.startswith("loss"):
                assert measured(fmt)[key]["numpy-naive"].logit == by_model["quotient"], key
    assert measured(fmt)["gradient-nan"]["numpy-naive"].note == "no gradient"


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_first_errors_are_of_the_order_of_an_ulp_of_one_half(fmt):
    for name in ("numpy-naive", "torch-naive"):
        assert 0 < measured(fmt)["loss-errs-above"][name].logit < 8 * 2.0**-fmt.precision


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_log_sigmoid_never_returns_zero_or_infinity_too_early(fmt):
    for key in ("loss-zero", "loss-infinite", "gradient-zero", "gradient-infinite", "gradient-nan"):
        found = measured(fmt)[key]["numpy"]
        assert (found.logit, found.note) == (None, "never"), key


def test_search_narrows_a_hit_down_to_its_first_number():
    for start in (1.0000000000000002, 3.3, 36.7):
        assert gap.search(binary64, 1, lambda z, start=start: z >= start) == start
    assert gap.search(binary64, -1, lambda z: z <= -5.5) == -5.5
    assert gap.search(binary64, 1, lambda z: z > 1e9) is None


def test_search_looks_at_the_numbers_before_a_hit():
    odd = 2 - 2001 * 2.0**-52  # too near to 2 for the grid, and between the points that narrow it down
    assert gap.search(binary64, 1, lambda z: (z == odd) | (z >= 2)) == odd


def test_what_cannot_be_measured_says_why():
    def plain(pc, pr, rc, rr, beta, label_smoothing):
        return np.log1p(np.exp(-(pc - pr)))

    only32 = numpy_implementation(plain, dtypes=["binary32"])
    mean = numpy_implementation(plain, name="mean", reduction="mean")
    notes = [m.note for m in gap.measure([only32, mean], [binary16]).formats[0].thresholds[0].measured]
    assert notes == ["format not claimed", "not run: needs per-pair losses and beta"]


def test_misbehaviour_is_reported_and_does_not_end_the_measurement():
    broken = numpy_implementation(lambda *_: [1.0], name="broken")
    data = gap.measure([broken, load("numpy-naive")], [bfloat16])
    assert data.formats[0].thresholds[2].measured[0].note.startswith("wrong type: ")
    assert data.formats[0].thresholds[2].measured[1].logit == 5.5625


@functools.cache
def small_gap():
    return gap.measure([load("numpy-naive"), load("torch-naive")], [bfloat16, binary64])


def test_json_holds_every_logit_in_hexadecimal():
    data = json.loads(json.dumps(small_gap().to_json(), allow_nan=False))
    zero = next(t for t in data["formats"]["binary64"] if t["what"] == "loss-zero")
    assert zero["predicted"][0] == {"model": "quotient", "logit": 36.73680056967711, "hex": "0x1.25e4f7b2737fbp+5"}
    assert zero["measured"][0]["hex"] == zero["predicted"][0]["hex"]
    assert zero["derivation"] == "gap.md#loss-0"
    assert "numpy" in data["environment"]["numpy-naive"]


@pytest.mark.parametrize("width", [80, 120])
def test_table_shows_predicted_beside_measured_and_fits(width):
    stream = io.StringIO()
    render(small_gap(), Console(file=stream, width=width))
    lines = stream.getvalue().splitlines()
    row = next(line for line in lines if "36.73680056967711" in line)
    assert "quotient" in row and "numpy-naive" in row
    assert ("0x1.25e4f7b2737fbp+5" in row) == (width == 120)
    assert max(map(len, lines)) <= width
    assert "\x1b" not in stream.getvalue() and "…" not in stream.getvalue()


def test_a_model_that_is_no_format_of_its_own_is_still_exact():
    wide = Model("quotient32", binary16, binary32)
    assert dataclasses.replace(wide, working=binary16).loss(7.625) == 0 < wide.loss(7.625)


def test_the_thresholds_of_the_page_are_the_predicted_ones():
    page = (Path(__file__).parents[2] / "docs" / "gap.md").read_text(encoding="utf-8")
    table = page.partition("## The thresholds, to cite")[2]
    rows = re.findall(r"(?m)^\| (\w+) \| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", table)
    told = {(fmt, model): [_told(cell) for cell in cells] for fmt, model, *cells in rows}
    expected = {}
    for fmt in FORMATS:
        found = {key: {p.model: p.logit for p in predictions} for key, predictions in predict(fmt).items()}
        for model, zero in found["loss-zero"].items():
            infinite = found["loss-infinite"][model]
            assert (found["gradient-zero"][model], found["gradient-nan"][model]) == (zero, infinite)
            expected[fmt.name, model] = [zero, infinite, found["gradient-infinite"][model]]
    assert told == expected
    assert "bfloat16, for\none, is 0 from z = 6.25:" in page


def _told(cell):
    """The logit of a cell, which has it twice; None for never."""
    if cell == "never":
        return None
    decimal, hexadecimal = cell.split()
    assert float(decimal) == float.fromhex(hexadecimal.strip("`"))
    return float(decimal)
