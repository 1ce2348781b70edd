"""AlphaPO: SimPO with a reward that bends, (1 - p^-alpha) / alpha of the average probability of a token."""

from __future__ import annotations

from oracle.expressions.nodes import Node, constant, exp, expm1, parameter, spelled
from oracle.losses._forms import beta, f, pc, pc_mean, pr, pr_mean
from oracle.losses._model import NONZERO, POSITIVE, REAL, Facts, Loss, Parameter, Wrong

alpha, gamma = parameter("alpha"), parameter("gamma")


def bent(x: Node) -> Node:
    """(1 - p^-alpha) / alpha at p = e**x: x as alpha goes to 0."""
    return spelled(-expm1(-alpha * x) / alpha, (1 - exp(-alpha * x)) / alpha)


LOSS = Loss(
    name="alphapo",
    title="AlphaPO",
    definition=f(
        spelled(
            beta * (bent(pc_mean) - bent(pr_mean)) - gamma,
            beta * ((bent(pc_mean) - bent(pr_mean)) - gamma / beta),
            (beta * bent(pc_mean) - beta * bent(pr_mean)) - gamma,
        )
    ),
    parameters=(
        Parameter("beta", 2.0, POSITIVE, "scales the difference of the rewards", other=5.0),
        Parameter("gamma", 1.0, REAL, "the target margin, in units of the logit", other=0.5),
        Parameter("alpha", 0.25, NONZERO, "how the reward bends; SimPO as it goes to 0", other=-0.5),
    ),
    paper="Gupta et al. (2025), arXiv:2501.03884",
    equation="the reward (1 - p^-alpha) / alpha in SimPO's objective",
    facts=Facts(convex=False, lower_bound=constant(0), remarks=("needs no reference",)),
    aliases={"TRL CPO": "simpo with alpha", "EasyDeL CPO": "simpo with alpha"},
    singular=("alpha = 0: 0 / 0, whose limit is SimPO",),
    wrong=(
        Wrong("simpo", "alpha is ignored", f(beta * (pc_mean - pr_mean) - gamma)),
        Wrong("sum", "sums in place of averages", f(beta * (bent(pc) - bent(pr)) - gamma)),
        Wrong(
            "undivided", "the division by alpha is missing", f(beta * (exp(-alpha * pr_mean) - exp(-alpha * pc_mean)) - gamma)
        ),
        Wrong("sign", "chosen and rejected are swapped", f(beta * (bent(pr_mean) - bent(pc_mean)) - gamma)),
        Wrong("ignored-gamma", "gamma is ignored", f(beta * (bent(pc_mean) - bent(pr_mean)))),
        Wrong("scaled-gamma", "gamma is multiplied by beta", f(beta * (bent(pc_mean) - bent(pr_mean) - gamma))),
    ),
)
