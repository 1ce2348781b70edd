"""DPO-positive: the logit less a penalty where the chosen response became less likely."""

from __future__ import annotations

from oracle.expressions.nodes import constant, maximum0, parameter, spelled
from oracle.losses._forms import a, b, beta, f, log2, margin, z
from oracle.losses._model import BETA, NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

penalty = parameter("penalty")


LOSS = Loss(
    name="dpop",
    title="DPO-positive",
    definition=f(spelled(beta * (margin - penalty * maximum0(-a)), z - beta * (penalty * maximum0(-a)))),
    parameters=(
        BETA,
        Parameter("penalty", 5.0, NOT_NEGATIVE, "lambda of the paper: the weight of what the chosen log-ratio lacks"),
    ),
    paper="Pal et al. (2024), arXiv:2402.13228",
    equation="equation 3",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=log2),
    aliases={"oat": "dpop"},
    singular=("a kink at a chosen log-ratio of 0, where relu has the derivative 0",),
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("ignored", "the penalty is ignored", f(z)),
        Wrong("outside", "the penalty is added to the loss", f(z) + penalty * maximum0(-a)),
        Wrong("sign", "a more likely chosen response is penalised", f(beta * (margin - penalty * maximum0(a)))),
        Wrong("unscaled", "the penalty is not multiplied by beta", f(z - penalty * maximum0(-a))),
        Wrong("rejected", "the rejected log-ratio is penalised", f(beta * (margin - penalty * maximum0(-b)))),
        Wrong("no-relu", "the penalty is not cut at 0", f(beta * (margin + penalty * a))),
    ),
)
