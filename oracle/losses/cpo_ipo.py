"""IPO of average log-probabilities without a reference."""

from __future__ import annotations

from oracle.expressions.nodes import constant, square
from oracle.losses._forms import beta, half, ipo_target, ll, lw, pc, pc_mean, pr, pr_mean
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="cpo_ipo",
    title="CPO, IPO of averages",
    definition=square((pc_mean - pr_mean) - ipo_target),
    parameters=(BETA,),
    paper="Xu et al. (2024), arXiv:2401.08417",
    equation="the preference term, with the IPO loss",
    facts=Facts(convex=True, lower_bound=constant(0)),
    aliases={"TRL CPO": "ipo", "EasyDeL CPO": "ipo"},
    singular=("beta = 0: division by 0",),
    covered="rational",
    wrong=(
        Wrong("sum", "sums in place of averages", square((pc - pr) - ipo_target)),
        Wrong("beta-once", "the target is 1 / beta", square((pc_mean - pr_mean) - 1 / beta)),
        Wrong("sign", "the target is added", square((pc_mean - pr_mean) + ipo_target)),
        Wrong("swapped-lengths", "each is divided by the other's length", square((pc / ll - pr / lw) - ipo_target)),
        Wrong("halved", "half the square", half * square((pc_mean - pr_mean) - ipo_target)),
    ),
)
