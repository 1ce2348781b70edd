"""What stands before a loss, told where that alone is between it and what came back."""

from fractions import Fraction

import numpy as np
import pytest

from conformance.diagnosis.scaled import Asked, scale
from conformance.inputs.losses import common, mirrored, steep
from oracle import get_format
from oracle.bounds.expression import running
from oracle.losses import LOSSES

SIGMOID = LOSSES["sigmoid"].definition


@pytest.mark.parametrize("fmt", ["binary32", "bfloat16"])
@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda losses, beta, n: losses * n, (1.0, "n, the number of pairs,")),
        (lambda losses, beta, n: losses / np.log(2), (1 / np.log(2), "")),
        (lambda losses, beta, n: losses * beta**2, (1.0, "beta^2")),
        (lambda losses, beta, n: losses / (2 * beta), (0.5, "1 / beta")),
        (lambda losses, beta, n: losses, None),
        (lambda losses, beta, n: losses + 1, None),
        (lambda losses, beta, n: losses**2, None),
        (lambda losses, beta, n: losses * np.nan, None),
    ],
    ids=["sum", "bits", "beta squared", "over two beta", "itself", "shifted", "squared", "nan"],
)
def test_a_factor_a_number_of_pairs_or_a_power_of_beta_is_told(returned, told, fmt):
    form, parts = get_format(fmt), []
    for batch in (common(), mirrored(common()), steep(form)):
        for beta in (0.25, 0.125):
            analysis = running(batch.rows, {"beta": Fraction(beta)}, form)
            acceptance = analysis.acceptance(SIGMOID)
            margins = [batch.rows[f"{who}_logps"] for who in ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected")]
            z = beta * ((margins[0] - margins[2]) - (margins[1] - margins[3]))
            got = form.round_array(np.ascontiguousarray(returned(np.logaddexp(0, -z), beta, len(batch))))
            parts.append(Asked(got, acceptance, analysis.representable(SIGMOID), len(batch), beta))
    found = scale(parts, form)
    if told is None:
        assert found is None
    else:
        assert found is not None
        assert (found.factor, found.unit) == (pytest.approx(told[0], rel=8 * form.unit_roundoff), told[1])
        assert found.text.endswith(f"{told[1]} times".strip())


def test_too_few_numbers_tell_nothing():
    assert scale([], get_format("binary32")) is None
