"""BCO for pairs: binary cross-entropy of the two rewards, each less a given delta."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter
from oracle.losses._forms import a, b, beta, f, r_l, r_w
from oracle.losses._model import BETA, REAL, Facts, Loss, Parameter, Wrong

delta = parameter("delta")


LOSS = Loss(
    name="bco_pair",
    title="BCO for pairs, with delta given",
    definition=f(r_w - delta) + f(delta - r_l),
    parameters=(
        BETA,
        Parameter(
            "delta",
            0.25,
            REAL,
            "the shift of the rewards; half the sum of the mean chosen and the mean rejected reward in the paper",
            other=-0.5,
        ),
    ),
    paper="Jung et al. (2024), arXiv:2404.04656",
    equation="the BCO loss",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=f(-delta) + f(delta)),
    aliases={
        "TRL <= 0.28": "bco_pair, delta a running mean",
        "ms-swift": "bco_pair, delta a running mean",
        "EasyDeL": "bco, delta given",
    },
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("ignored", "delta is ignored", f(r_w) + f(-r_l)),
        Wrong("added", "delta is added to the chosen reward and taken from the rejected", f(r_w + delta) + f(-delta - r_l)),
        Wrong("chosen-only", "the chosen reward alone is shifted", f(r_w - delta) + f(-r_l)),
        Wrong("opposite", "the two rewards are shifted apart", f(r_w - delta) + f(-delta - r_l)),
        Wrong("scaled", "delta is multiplied by beta", f(beta * (a - delta)) + f(beta * (delta - b))),
    ),
)
