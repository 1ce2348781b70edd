"""EXO for pairs: the reverse Kullback-Leibler divergence from the smoothed label to the policy's choice."""

from __future__ import annotations

from oracle.expressions.nodes import constant, log, sigmoid, spelled
from oracle.losses._forms import eps, f, half, z
from oracle.losses._model import BETA, OPEN_UNIT, Facts, Loss, Parameter, Wrong

q, other = sigmoid(z), sigmoid(-z)


LOSS = Loss(
    name="exo_pair",
    title="EXO for pairs",
    definition=spelled(
        q * (-f(z) - log(1 - eps)) + other * (-f(-z) - log(eps)),
        q * (log(q) - log(1 - eps)) + (1 - q) * (log(1 - q) - log(eps)),
        -f(z) - other * (z - log((1 - eps) / eps)) - log(1 - eps),
    ),
    parameters=(
        BETA,
        Parameter("label_smoothing", 0.1, OPEN_UNIT, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Ji et al. (2024), arXiv:2402.00856",
    equation="equation 16 with K = 2",
    facts=Facts(
        convex=False,
        lower_bound=constant(0),
        at_reference=-half * log(4 * eps * (1 - eps)),
        remarks=(
            "0 at the logit log((1 - eps) / eps)",
            "finite at both ends: -log(1 - eps) as the logit rises, -log(eps) as it falls; the slope vanishes at both",
        ),
    ),
    aliases={"TRL": "exo_pair", "Liger": "exo_pair", "ms-swift": "exo_pair", "EasyDeL": "exo_pair"},
    singular=("label_smoothing = 0 or 1: a logarithm of 0",),
    wrong=(
        Wrong(
            "forward",
            "the forward divergence, conservative DPO less an entropy",
            (1 - eps) * (log(1 - eps) + f(z)) + eps * (log(eps) + f(-z)),
        ),
        Wrong(
            "tiny-smoothing",
            "label smoothing is 0.001 whatever is asked for",
            q * (-f(z) - log(constant(1) - constant(1) / 1000)) + other * (-f(-z) - log(constant(1) / 1000)),
        ),
        Wrong("swapped", "the two labels are swapped", q * (-f(z) - log(eps)) + other * (-f(-z) - log(1 - eps))),
        Wrong("one-term", "the rejected response's term is missing", q * (-f(z) - log(1 - eps))),
        Wrong("cross-entropy", "the policy's entropy is missing", -q * log(1 - eps) - other * log(eps)),
    ),
)
