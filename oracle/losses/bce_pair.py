"""What two libraries call bco_pair: the binary cross-entropy of chosen as 1 and rejected as 0, without the paper's shift."""

from __future__ import annotations

from oracle.expressions.nodes import constant, mean
from oracle.losses._forms import a, b, f, half, log2, r_l, r_w
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="bce_pair",
    title="Binary cross-entropy of the two rewards (bco_pair without its delta)",
    definition=f(r_w) + f(-r_l),
    parameters=(BETA,),
    paper="Jung et al. (2024), arXiv:2404.04656",
    equation="the BCO loss with delta = 0",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=2 * log2),
    aliases={"TRL 1.16": "bco_pair", "Liger": "bco_pair"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong(
            "batch-delta",
            "the rewards are shifted by their mean over the batch",
            f(r_w - half * mean(r_w + r_l)) + f(half * mean(r_w + r_l) - r_l),
        ),
        Wrong("logit", "one term of the difference", f(r_w - r_l)),
        Wrong("halved", "half the sum", half * (f(r_w) + f(-r_l))),
        Wrong("sign", "the rejected reward has the wrong sign", f(r_w) + f(r_l)),
        Wrong("no-beta", "beta is ignored", f(a) + f(-b)),
        Wrong("nca", "NCA instead", f(r_w) + half * f(-r_w) + half * f(-r_l)),
    ),
)
