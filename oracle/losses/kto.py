"""KTO of a batch of chosen and rejected responses; z0 is the mean log-ratio of another batch, cut at 0."""

from __future__ import annotations

from oracle.expressions.nodes import Node, constant, detached, maximum0, mean, parameter, symbol
from oracle.losses._forms import a, b, beta, half, logistic
from oracle.losses._model import BETA, NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

desirable, undesirable = parameter("desirable_weight"), parameter("undesirable_weight")
pk, rk = symbol("policy_kl_logps"), symbol("ref_kl_logps")
kl = detached(mean(pk - rk))
z0 = detached(maximum0(mean(pk - rk)))


def rows(point: Node) -> Node:
    """The two rows of a pair about a reference point."""
    return half * (desirable * logistic(beta * (point - a)) + undesirable * logistic(beta * (b - point)))


LOSS = Loss(
    name="kto",
    title="KTO of a batch",
    definition=rows(z0),
    parameters=(
        BETA,
        Parameter("desirable_weight", 1.0, NOT_NEGATIVE, "lambda_D: the weight of a desirable response", other=1.5),
        Parameter("undesirable_weight", 1.0, NOT_NEGATIVE, "lambda_U: the weight of an undesirable response", other=0.75),
    ),
    paper="Ethayarajh et al. (2024), arXiv:2402.01306",
    equation="equation 8",
    facts=Facts(convex=False, lower_bound=constant(0), upper_bound=half * (desirable + undesirable)),
    aliases={"TRL KTO": "kto", "LLaMA-Factory": "kto", "EasyDeL": "kto"},
    compared=({"desirable_weight": 1.5},),
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("unclamped", "a negative reference point is kept", rows(kl)),
        Wrong("live", "the gradient goes through the reference point", rows(maximum0(mean(pk - rk)))),
        Wrong(
            "no-reference-point",
            "the reference point is 0",
            half * (desirable * logistic(-beta * a) + undesirable * logistic(beta * b)),
        ),
        Wrong(
            "own-batch",
            "the reference point is the mean log-ratio of the batch itself",
            rows(detached(maximum0(half * mean(a + b)))),
        ),
        Wrong(
            "swapped-weights",
            "the two weights are swapped",
            half * (undesirable * logistic(beta * (z0 - a)) + desirable * logistic(beta * (b - z0))),
        ),
        Wrong("row-clamp", "the log-ratios are cut at 0 before their mean", rows(detached(mean(maximum0(pk - rk))))),
    ),
)
