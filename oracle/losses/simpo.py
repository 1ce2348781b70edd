"""SimPO: -log sigma of the difference of average log-probabilities, less a target margin."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter, spelled
from oracle.losses._forms import beta, f, ll, lw, pc, pc_mean, pr, pr_mean
from oracle.losses._model import POSITIVE, REAL, Facts, Loss, Parameter, Wrong

gamma = parameter("gamma")


LOSS = Loss(
    name="simpo",
    title="SimPO",
    definition=f(
        spelled(
            beta * (pc_mean - pr_mean) - gamma,
            beta * ((pc_mean - pr_mean) - gamma / beta),
            (beta * pc_mean - beta * pr_mean) - gamma,
        )
    ),
    parameters=(
        Parameter("beta", 2.0, POSITIVE, "scales the difference of the average log-probabilities", other=5.0),
        Parameter("gamma", 1.0, REAL, "the target margin, in units of the logit"),
    ),
    paper="Meng et al. (2024), arXiv:2405.14734",
    equation="equation 6",
    facts=Facts(convex=True, lower_bound=constant(0), remarks=("needs no reference",)),
    aliases={
        "TRL CPO": "simpo",
        "Liger": "simpo",
        "LLaMA-Factory": "simpo",
        "oat": "simpo, with gamma / beta",
        "open-instruct": "simpo, with gamma / beta",
    },
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("ignored-gamma", "gamma is ignored", f(beta * (pc_mean - pr_mean))),
        Wrong("scaled-gamma", "gamma is multiplied by beta", f(beta * (pc_mean - pr_mean - gamma))),
        Wrong("added-gamma", "gamma is added", f(beta * (pc_mean - pr_mean) + gamma)),
        Wrong("sum", "sums in place of averages", f(beta * (pc - pr) - gamma)),
        Wrong("swapped-lengths", "each is divided by the other's length", f(beta * (pc / ll - pr / lw) - gamma)),
        Wrong("sign", "chosen and rejected are swapped", f(beta * (pr_mean - pc_mean) - gamma)),
    ),
)
