"""CPO: conservative DPO without a reference."""

from __future__ import annotations

from oracle.expressions.nodes import spelled
from oracle.losses._forms import beta, f, pc, pc_mean, pr, pr_mean, smoothed
from oracle.losses._model import BETA, UNIT, Facts, Loss, Parameter, Wrong

LOSS = Loss(
    name="cpo",
    title="CPO, the preference term",
    definition=smoothed(spelled(beta * (pc - pr), beta * pc - beta * pr)),
    parameters=(
        BETA,
        Parameter("label_smoothing", 0.0, UNIT, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Xu et al. (2024), arXiv:2401.08417",
    equation="the preference term",
    facts=Facts(convex=True, lower_bound=None, remarks=("needs no reference", "bounded below by the entropy of eps")),
    aliases={"TRL CPO": "sigmoid", "Liger": "CPO", "EasyDeL CPO": "sigmoid"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("smoothing-ignored", "label smoothing is ignored", f(beta * (pc - pr))),
        Wrong("average", "averages in place of sums", smoothed(beta * (pc_mean - pr_mean))),
        Wrong("sign", "chosen and rejected are swapped", smoothed(beta * (pr - pc))),
        Wrong("no-beta", "beta is ignored", smoothed(pc - pr)),
        Wrong("chosen-only", "the rejected response is ignored", smoothed(beta * pc)),
    ),
)
