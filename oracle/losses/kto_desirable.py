"""KTO of one desirable response, with the reference point z0 given."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter
from oracle.losses._forms import a, beta, logistic
from oracle.losses._model import BETA, NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

z0, weight = parameter("z0"), parameter("desirable_weight")


LOSS = Loss(
    name="kto_desirable",
    title="KTO, a desirable response",
    definition=weight * logistic(beta * (z0 - a)),
    parameters=(
        BETA,
        Parameter("z0", 0.25, NOT_NEGATIVE, "the reference point: the mean log-ratio of an unrelated batch, not below 0"),
        Parameter("desirable_weight", 1.0, NOT_NEGATIVE, "lambda_D: the weight of a desirable response", other=1.5),
    ),
    paper="Ethayarajh et al. (2024), arXiv:2402.01306",
    equation="equation 8",
    facts=Facts(convex=False, lower_bound=constant(0), upper_bound=weight, at_reference=weight * logistic(beta * z0)),
    aliases={"TRL KTO": "kto", "LLaMA-Factory": "kto", "Liger": "kto", "EasyDeL": "kto"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("no-reference-point", "z0 is ignored", weight * logistic(-beta * a)),
        Wrong("sign", "z0 is added", weight * logistic(-beta * (a + z0))),
        Wrong("undesirable", "the loss of an undesirable response", weight * logistic(beta * (a - z0))),
        Wrong("reward-units", "z0 is in units of the reward", weight * logistic(z0 - beta * a)),
        Wrong("unweighted", "the weight is ignored", logistic(beta * (z0 - a))),
    ),
)
