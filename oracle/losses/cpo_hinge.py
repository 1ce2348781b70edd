"""CPO with the hinge loss."""

from __future__ import annotations

from oracle.expressions.nodes import constant, maximum0, spelled
from oracle.losses._forms import beta, pc, pc_mean, pr, pr_mean
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="cpo_hinge",
    title="CPO, hinge",
    definition=maximum0(1 - spelled(beta * (pc - pr), beta * pc - beta * pr)),
    parameters=(BETA,),
    paper="Xu et al. (2024), arXiv:2401.08417",
    equation="the preference term, with the hinge loss",
    facts=Facts(convex=True, lower_bound=constant(0)),
    aliases={"TRL CPO": "hinge", "EasyDeL CPO": "hinge"},
    singular=("a kink where beta (pc - pr) = 1, where relu has the derivative 0",),
    covered="rational",
    wrong=(
        Wrong("sign", "chosen and rejected are swapped", maximum0(1 + beta * (pc - pr))),
        Wrong("average", "averages in place of sums", maximum0(1 - beta * (pc_mean - pr_mean))),
        Wrong("no-hinge", "the negative part is kept", 1 - beta * (pc - pr)),
        Wrong("no-beta", "beta is ignored", maximum0(1 - (pc - pr))),
        Wrong("no-margin", "no margin is required", maximum0(-beta * (pc - pr))),
    ),
)
