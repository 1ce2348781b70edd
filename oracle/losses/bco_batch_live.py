"""BCO for pairs, with the gradient through the batch's delta."""

from __future__ import annotations

from oracle.expressions.nodes import constant, detached, mean, spelled
from oracle.losses._forms import f, half, log2, r_l, r_w
from oracle.losses._model import BETA, Facts, Loss, Wrong

mean_reward = spelled(half * (mean(r_w) + mean(r_l)), half * mean(r_w + r_l))
delta = mean_reward


LOSS = Loss(
    name="bco_batch_live",
    title="BCO for pairs, with the gradient through the batch's delta",
    definition=f(r_w - delta) + f(delta - r_l),
    parameters=(BETA,),
    paper="Jung et al. (2024), arXiv:2404.04656",
    equation="the BCO loss, delta the mean over the batch of both rewards",
    facts=Facts(convex=False, lower_bound=constant(0), at_reference=2 * log2),
    aliases={"EasyDeL": "bco_pair"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("delta-detached", "with delta held fixed", f(r_w - detached(mean_reward)) + f(detached(mean_reward) - r_l)),
        Wrong("no-delta", "delta is 0", f(r_w) + f(-r_l)),
        Wrong(
            "chosen-delta",
            "delta is the mean of the chosen rewards",
            f(r_w - detached(mean(r_w))) + f(detached(mean(r_w)) - r_l),
        ),
        Wrong("summed-delta", "delta is the sum of the two means", f(r_w - 2 * delta) + f(2 * delta - r_l)),
        Wrong("sign", "delta is added", f(r_w + delta) + f(-delta - r_l)),
    ),
)
