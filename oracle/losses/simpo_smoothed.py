"""SimPO with label smoothing, as libraries have it beside the paper's."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter, spelled
from oracle.losses._forms import beta, f, ll, lw, pc, pc_mean, pr, pr_mean, smoothed
from oracle.losses._model import POSITIVE, REAL, UNIT, Facts, Loss, Parameter, Wrong

gamma = parameter("gamma")


LOSS = Loss(
    name="simpo_smoothed",
    title="SimPO with label smoothing",
    definition=smoothed(
        spelled(
            beta * (pc_mean - pr_mean) - gamma,
            beta * ((pc_mean - pr_mean) - gamma / beta),
            (beta * pc_mean - beta * pr_mean) - gamma,
        )
    ),
    parameters=(
        Parameter("beta", 2.0, POSITIVE, "scales the difference of the average log-probabilities", other=5.0),
        Parameter("gamma", 1.0, REAL, "the target margin, in units of the logit", other=0.5),
        Parameter("label_smoothing", 0.1, UNIT, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Meng et al. (2024), arXiv:2405.14734",
    equation="equation 6",
    facts=Facts(convex=True, lower_bound=constant(0), remarks=("needs no reference", "the paper has no label smoothing")),
    aliases={"TRL CPO": "simpo", "Liger": "simpo", "open-instruct": "simpo"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("smoothing-ignored", "label smoothing is ignored", f(beta * (pc_mean - pr_mean) - gamma)),
        Wrong("ignored-gamma", "gamma is ignored", smoothed(beta * (pc_mean - pr_mean))),
        Wrong("scaled-gamma", "gamma is multiplied by beta", smoothed(beta * (pc_mean - pr_mean - gamma))),
        Wrong("added-gamma", "gamma is added", smoothed(beta * (pc_mean - pr_mean) + gamma)),
        Wrong("sum", "sums in place of averages", smoothed(beta * (pc - pr) - gamma)),
        Wrong("swapped-lengths", "each is divided by the other's length", smoothed(beta * (pc / ll - pr / lw) - gamma)),
        Wrong("sign", "chosen and rejected are swapped", smoothed(beta * (pr_mean - pc_mean) - gamma)),
    ),
)
