"""R-DPO: the logit with a penalty on the difference in length."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter
from oracle.losses._forms import beta, f, ll, lw, margin, z
from oracle.losses._model import BETA, REAL, Facts, Loss, Parameter, Wrong

alpha = parameter("alpha")


LOSS = Loss(
    name="r_dpo",
    title="R-DPO",
    definition=f(z + alpha * (lw - ll)),
    parameters=(
        BETA,
        Parameter("alpha", 0.02, REAL, "nats of logit for each token by which the chosen response is longer"),
    ),
    paper="Park et al. (2024), arXiv:2403.19159",
    equation="equation 9",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=f(alpha * (lw - ll))),
    aliases={"oat": "len_reg_alpha"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("ignored", "alpha is ignored", f(z)),
        Wrong("sign", "the longer chosen response is rewarded the wrong way round", f(z - alpha * (lw - ll))),
        Wrong("scaled", "alpha is multiplied by beta", f(beta * (margin + alpha * (lw - ll)))),
        Wrong("chosen-length", "the chosen length alone counts", f(z + alpha * lw)),
        Wrong("sum-of-lengths", "the lengths are added", f(z + alpha * (lw + ll))),
    ),
)
