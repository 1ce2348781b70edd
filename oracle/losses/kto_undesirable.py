"""KTO of one undesirable response, with the reference point z0 given."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter
from oracle.losses._forms import b, beta, logistic
from oracle.losses._model import BETA, NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

z0, weight = parameter("z0"), parameter("undesirable_weight")


LOSS = Loss(
    name="kto_undesirable",
    title="KTO, an undesirable response",
    definition=weight * logistic(beta * (b - z0)),
    parameters=(
        BETA,
        Parameter("z0", 0.25, NOT_NEGATIVE, "the reference point: the mean log-ratio of an unrelated batch, not below 0"),
        Parameter("undesirable_weight", 1.0, NOT_NEGATIVE, "lambda_U: the weight of an undesirable response", other=0.75),
    ),
    paper="Ethayarajh et al. (2024), arXiv:2402.01306",
    equation="equation 8",
    facts=Facts(convex=False, lower_bound=constant(0), upper_bound=weight, at_reference=weight * logistic(-beta * z0)),
    aliases={"TRL KTO": "kto", "LLaMA-Factory": "kto", "Liger": "kto", "EasyDeL": "kto"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("no-reference-point", "z0 is ignored", weight * logistic(beta * b)),
        Wrong("sign", "z0 is added", weight * logistic(beta * (b + z0))),
        Wrong("desirable", "the loss of a desirable response", weight * logistic(beta * (z0 - b))),
        Wrong("reward-units", "z0 is in units of the reward", weight * logistic(beta * b - z0)),
        Wrong("unweighted", "the weight is ignored", logistic(beta * (b - z0))),
    ),
)
