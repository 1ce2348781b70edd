"""The sharper interval of the order (pc - rc) - (pr - rr): it holds for that order, and not for the others."""

from __future__ import annotations

import numpy as np
import pytest
from adversary import Adversary, logits

from conformance.inputs.pairs import near_reference, short_responses
from oracle import FORMATS, Format, bounds, enclosure
from oracle.bounds import Pairs, centre

formats = pytest.mark.parametrize("fmt", FORMATS, ids=str)


def pairs(fmt: Format) -> Pairs:
    rng = np.random.default_rng(7)
    drawn = [draw(fmt, 300, rng) for draw in (near_reference, short_responses)]
    return Pairs(*(np.concatenate(column) for column in zip(*(batch.logps for batch in drawn), strict=True)), 0.1, 0.0)


@formats
def test_every_way_that_takes_log_ratios_first_stays_within_and_comes_close(fmt: Format) -> None:
    sample = pairs(fmt)
    z = enclosure.logit(*sample.logps, sample.beta)
    down, up = bounds.logit_error(sample, fmt, ratios_first=True)
    closest = 0.0
    for way, allowed in ((-1.0, down), (1.0, up)):
        for name, found in logits(Adversary(fmt), sample, way):
            error = centre((found - z) * way)
            if name.startswith("ratio"):
                assert (error <= allowed).all(), name
                closest = max(closest, float((error / allowed).max()))
    assert closest > 0.6


@formats
def test_other_orders_leave_it_and_the_full_interval_holds_them(fmt: Format) -> None:
    sample = pairs(fmt)
    z = enclosure.logit(*sample.logps, sample.beta)
    sharp = bounds.logit_error(sample, fmt, ratios_first=True)[1]
    full = bounds.logit_error(sample, fmt)[1]
    assert (sharp <= full).all()
    left = False
    for name, found in logits(Adversary(fmt), sample, 1.0):
        error = centre(found - z)
        assert (error <= full).all(), name
        left |= bool((error > 2 * sharp).any()) and not name.startswith("ratio")
    assert left


def test_the_loss_takes_it_over() -> None:
    fmt = FORMATS[0]
    sample = pairs(fmt)
    sharp, full = bounds.loss(sample, fmt, ratios_first=True), bounds.loss(sample, fmt)
    inside = ((full.high - sharp.high).head >= 0) & ((sharp.low - full.low).head >= 0)
    assert inside.all()
    assert ((full.high - sharp.high).head > 0).any()
