"""Numbers that enclose themselves without a theorem of their end: what they say, and that they say when they cannot."""

from fractions import Fraction

import pytest

from oracle import BadArgument, Undecided, losses, sequence
from oracle.formats import binary32

EXO = losses.value(
    "exo_pair", policy_chosen_logps=-3, policy_rejected_logps=-5, ref_chosen_logps=-4, ref_rejected_logps=-4,
    beta="0.5", label_smoothing="0.1",
)  # fmt: skip
TOKEN = sequence.token_logp([0, 1, 2], 1)


@pytest.mark.parametrize("x", [EXO, TOKEN])
def test_what_a_computable_says_of_itself_agrees(x):
    value = float(x)
    assert x.digits(17).startswith(x.digits(5)[:5])
    assert float(x.digits(17)) == pytest.approx(value, rel=1e-15, abs=0)
    assert x.round("binary32") == float(binary32.round_exact(Fraction(x.digits(40)), lean=0))
    assert x.bits("binary32") == int(binary32.encode(x.round("binary32")))
    assert x.sign == (1 if value > 0 else -1)
    found = x.enclose(200)
    ends = found if isinstance(found, tuple) else (found.low, found.high)
    low, high = (end if isinstance(end, Fraction) else end.mantissa * Fraction(2) ** end.exponent for end in ends)
    assert 0 < high - low <= min(abs(low), abs(high)) / 2**200
    assert low - abs(low) / 10**78 <= Fraction(x.digits(80)) <= high + abs(high) / 10**78
    assert str(x) in repr(x)


@pytest.mark.parametrize("x", [EXO, TOKEN])
@pytest.mark.parametrize("ask", ["enclose", "digits"])
def test_what_is_no_precision_is_refused(x, ask):
    with pytest.raises(BadArgument):
        getattr(x, ask)(0)


def test_a_number_that_cannot_be_told_from_0_is_undecided():
    """EXO at its minimum is 0, and no number of bits says so."""
    pair = {"policy_chosen_logps": 0, "policy_rejected_logps": 0, "ref_chosen_logps": 0, "ref_rejected_logps": 0}
    least = losses.gradient("exo_pair", **pair, beta=1, label_smoothing="0.5")["policy_chosen_logps"]
    if isinstance(least, type(EXO)):
        with pytest.raises(Undecided, match="no theorem"):
            _ = least.sign
    else:
        assert float(least) == 0
