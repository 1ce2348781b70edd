"""APO-zero: raises the chosen reward and lowers the rejected one, each on its own."""

from __future__ import annotations

from oracle.expressions.nodes import constant
from oracle.losses._forms import a, b, logistic, r_l, r_w
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="apo_zero",
    title="APO-zero, plus 1",
    definition=logistic(-r_w) + logistic(r_l),
    parameters=(BETA,),
    paper="D'Oosterlinck et al. (2024), arXiv:2408.06266",
    equation="equation 7, plus 1",
    facts=Facts(
        convex=False,
        lower_bound=constant(0),
        upper_bound=constant(2),
        at_reference=constant(1),
        remarks=("the slope vanishes at every end",),
    ),
    aliases={
        "TRL": "apo_zero",
        "Liger": "apo_zero",
        "ms-swift": "apo_zero",
        "EasyDeL": "apo_zero",
        "TRL KTO": "apo_zero_unpaired",
    },
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("down", "APO-down instead", logistic(r_w) + logistic(r_l - r_w)),
        Wrong("paper", "without the 1 that libraries add", logistic(r_l) - logistic(r_w)),
        Wrong("sign", "the rejected reward is raised", logistic(-r_w) + logistic(-r_l)),
        Wrong("no-beta", "beta is ignored", logistic(-a) + logistic(b)),
        Wrong("chosen-only", "the rejected term is missing", logistic(-r_w)),
    ),
)
