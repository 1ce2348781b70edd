"""DPO with a margin that the logit has to exceed."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter
from oracle.losses._forms import beta, f, margin, z
from oracle.losses._model import BETA, REAL, Facts, Loss, Parameter, Wrong

gamma = parameter("gamma")


LOSS = Loss(
    name="margin",
    title="DPO with a margin",
    definition=f(z - gamma),
    parameters=(
        BETA,
        Parameter("gamma", 0.5, REAL, "what the logit has to exceed, in units of the logit"),
    ),
    paper="Amini et al. (2024), arXiv:2402.10571",
    equation="DPO with an offset",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=f(-gamma)),
    aliases={"ColossalAI": "DPO loss with gamma"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("ignored", "gamma is ignored", f(z)),
        Wrong("added", "gamma is added", f(z + gamma)),
        Wrong("scaled", "gamma is in units of the margin", f(beta * (margin - gamma))),
        Wrong("outside", "gamma is added to the loss", f(z) + gamma),
        Wrong("doubled", "gamma is subtracted twice", f(z - 2 * gamma)),
    ),
)
