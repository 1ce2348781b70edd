"""APO-down: lowers both rewards, the rejected one more."""

from __future__ import annotations

from oracle.expressions.nodes import constant
from oracle.losses._forms import a, logistic, margin, r_l, r_w, z
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="apo_down",
    title="APO-down, plus 1",
    definition=logistic(r_w) + logistic(-z),
    parameters=(BETA,),
    paper="D'Oosterlinck et al. (2024), arXiv:2408.06266",
    equation="equation 8, plus 1",
    facts=Facts(
        convex=False,
        lower_bound=constant(0),
        upper_bound=constant(2),
        at_reference=constant(1),
        remarks=("exactly 1 wherever the rejected log-ratio is 0, whatever the rest: a test with such pairs tests nothing",),
    ),
    aliases={"TRL": "apo_down", "Liger": "apo_down", "ms-swift": "apo_down", "EasyDeL": "apo_down"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("zero", "APO-zero instead", logistic(-r_w) + logistic(r_l)),
        Wrong("paper", "without the 1 that libraries add", logistic(r_w) - logistic(z)),
        Wrong("sign", "the chosen reward is raised", logistic(-r_w) + logistic(-z)),
        Wrong("margin-only", "the chosen term is missing", logistic(-z)),
        Wrong("no-beta", "beta is ignored", logistic(a) + logistic(-margin)),
        Wrong("rejected", "the rejected reward in place of the margin", logistic(r_w) + logistic(-r_l)),
    ),
)
