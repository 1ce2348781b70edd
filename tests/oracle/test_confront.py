"""The confrontation with Arb in small, and that each part of it sees what it is there to see."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import oracle
from oracle import Dyadic, Real, enclosure, rounding, ulp
from oracle import first_tier as tables
from oracle.enclosure import Enclosure
from oracle.expressions.nodes import Kernel
from oracle.formats import binary16
from oracle.losses import LOSSES
from oracle.losses._evaluate import slope
from oracle.ulp import quantum_exponent as quantum
from tests.oracle import confront_losses
from tests.oracle.confront import calls, decisions, first_tier, kernel, logits, pairs, patterns, shares
from tests.oracle.confront.__main__ import main
from tests.oracle.confront.tally import Tally


def escapes(tallies: list[Tally]) -> dict[str, int]:
    return {tally.name: tally.escapes for tally in tallies}


def rng() -> np.random.Generator:
    return np.random.default_rng(17)


def test_nothing_escapes_and_a_radius_is_used_to_a_twentieth_at_least() -> None:
    tallies = shares.piece("double-double", 3, 0, 20_000)
    assert {tally.escapes for tally in tallies} == {0}, [tally.examples for tally in tallies]
    assert all(0.02 < tally.worst < 1 for tally in tallies if tally.name.endswith(("f(z)", "s(z)", "pair")))
    assert sum(tally.points for tally in tallies) >= 20_000


def test_the_float64_tier_is_within_its_bound_and_judges_as_arb_does() -> None:
    tallies = shares.piece("float64", 3, 0, 20_000)
    assert {tally.escapes for tally in tallies} == {0}, [tally.examples for tally in tallies]
    assert all(0.1 < tally.worst < 1 for tally in tallies[:2])


def test_a_float64_tier_that_errs_is_seen(monkeypatch) -> None:
    values = tables.tables()
    monkeypatch.setattr(tables, "tables", lambda: tuple(value * (1 + 2.0**-50) for value in values))
    assert min(escapes(first_tier.values(rng(), 2000)).values()) > 0
    monkeypatch.setattr(tables, "tables", lambda: tuple(value * (1 + 2.0**-30) for value in values))
    assert escapes(first_tier.judged(rng(), 200))["judged losses, derivatives"] > 0


def test_the_command_prints_the_figures_and_the_same_ones_with_two_workers() -> None:
    outputs = [CliRunner().invoke(main, ["--points", "2e3", "--workers", str(n)]) for n in (1, 2)]
    assert [result.exit_code for result in outputs] == [0, 0]
    alone, shared = (result.output.splitlines()[:-1] for result in outputs)
    assert alone == shared and "escapes" in alone[0] and "0 escapes" in outputs[0].output
    assert CliRunner().invoke(main, ["--points", "many"]).exit_code == 2


@pytest.mark.usefixtures("by_numpy")
def test_a_kernel_radius_that_is_too_small_is_seen(monkeypatch) -> None:
    monkeypatch.setattr(enclosure, "RELATIVE_ERROR", 2.0**-77)
    found = escapes(kernel.confront(rng(), 3000))
    assert found["loss f(z)"] > 0 and found["slope s(z)"] > 0
    assert min(escapes(pairs.confront(rng(), 3000)).values()) > 0


@pytest.mark.usefixtures("by_numpy")
def test_a_margin_of_rounded_differences_is_seen(monkeypatch) -> None:
    monkeypatch.setattr(enclosure, "_margin", lambda pc, pr, rc, rr: (enclosure.exact((pc - pr) - (rc - rr)),))
    assert min(escapes(pairs.confront(rng(), 3000)).values()) > 0


def test_a_decision_that_is_none_is_seen(monkeypatch) -> None:
    def hasty(x: Enclosure) -> Enclosure:
        return replace(x, radius=np.zeros_like(x.radius))

    rounded, compared, erring = enclosure.round, enclosure.compare, enclosure.ulp_errors
    monkeypatch.setattr(enclosure, "round", lambda x, fmt: rounded(hasty(x), fmt))
    monkeypatch.setattr(enclosure, "compare", lambda x, got: compared(hasty(x), got))
    monkeypatch.setattr(enclosure, "ulp_errors", lambda x, got, fmt: erring(hasty(x), got, fmt))
    assert min(escapes(decisions.confront(rng(), 400)).values()) > 0


def test_a_quantum_of_the_wrong_binade_is_seen(monkeypatch) -> None:
    powers = rounding._powers
    monkeypatch.setattr(rounding, "_powers", lambda x: tuple(power + 1 for power in powers(x)))
    assert escapes(decisions.confront(rng(), 100))["ulp error, low and high"] > 0


@pytest.mark.no_cover
@pytest.mark.usefixtures("by_numpy")
def test_a_pattern_outside_its_ball_is_seen(monkeypatch) -> None:
    assert max(escapes(patterns.confront(binary16.name, 5)).values()) == 0
    monkeypatch.setattr(enclosure, "RELATIVE_ERROR", 2.0**-79)
    assert min(escapes(patterns.confront(binary16.name, 5)).values()) > 0


def test_the_logits_are_finite_and_reach_what_they_are_for() -> None:
    z = logits.logits(rng(), 20_000)
    assert z.size == 20_000 and np.isfinite(z).all() and np.abs(z).max() < 2.0**14
    exponents = np.frexp(z)[1]
    assert exponents.min() < -900 and (exponents > 13).any() and (np.abs(z) > 700).any()


# -- single calls ------------------------------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_calls_of_the_public_api_agree_with_arb_and_with_integers_and_end() -> None:
    tallies = shares.piece("calls", 3, 0, 4_000)
    assert {tally.escapes for tally in tallies} == {0}, [tally.examples for tally in tallies]


def test_a_number_that_is_rounded_twice_is_seen(monkeypatch) -> None:
    once, known = Real.round, oracle.Format.round_exact
    monkeypatch.setattr(Real, "round", lambda x, fmt: known(oracle.get_format(fmt), _single(once(x, "binary64"))))
    assert escapes(calls.confront(rng(), 900))["calls against Arb"]
    monkeypatch.setattr(oracle.Format, "round_exact", lambda fmt, value, lean=0: known(fmt, _single(value)))
    assert escapes(calls.confront(rng(), 900))["calls against integers"]


def _single(value: Any) -> Fraction:
    """The nearest binary64 number, where there is one."""
    try:
        return Fraction(float(value))
    except (OverflowError, TypeError, ValueError):
        return value if isinstance(value, Fraction | Dyadic) else Fraction(0)


def test_a_quantum_of_the_binade_above_and_a_call_that_does_not_end_are_seen(monkeypatch) -> None:
    monkeypatch.setattr(ulp, "quantum_exponent", lambda exact, fmt: quantum(exact, fmt) + 1)
    assert escapes(calls.confront(rng(), 900))["calls against Arb"]
    monkeypatch.setattr(ulp, "quantum_exponent", quantum)
    monkeypatch.setattr(calls, "LIMIT", 0.05)
    monkeypatch.setattr(oracle, "round", lambda *_: time.sleep(60))
    (tally, _) = calls.confront(rng(), 30)
    assert tally.escapes and "no end within 0.05 s" in tally.examples[0]


def test_a_slope_where_keys_of_a_sort_are_equal_is_a_limit_of_slopes(monkeypatch):
    assert confront_losses.differences("aot_unpaired", binary16, 6, 73) == (24, 0)
    monkeypatch.setattr(confront_losses, "untied", lambda environment: environment)
    assert confront_losses.differences("aot_unpaired", binary16, 6, 73) == (24, 4)


def test_the_numbers_and_derivatives_of_another_loss_are_told_apart(monkeypatch):
    assert confront_losses.disagreements("hinge", binary16, 6, 7) == (30, 0)
    of_another = LOSSES["ipo_sum"]
    monkeypatch.setattr(confront_losses, "slope", lambda _, name: slope(of_another, name))
    assert confront_losses.differences("hinge", binary16, 6, 71)[1] > 12
    monkeypatch.setitem(confront_losses.ARB, Kernel.RELU, abs)
    assert confront_losses.disagreements("hinge", binary16, 6, 7)[1] > 0
