"""SPPO with hard labels: the log-ratios are drawn to plus and minus 1 / (2 beta)."""

from __future__ import annotations

from oracle.expressions.nodes import constant, square
from oracle.losses._forms import a, b, beta, half, ipo_target
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="sppo_hard",
    title="SPPO with hard labels",
    definition=square(a - ipo_target) + square(b + ipo_target),
    parameters=(BETA,),
    paper="Wu et al. (2024), arXiv:2405.00675",
    equation="equation 4.7 with probabilities 0 and 1 and eta = 1 / beta",
    facts=Facts(
        convex=True,
        lower_bound=constant(0),
        at_reference=1 / (2 * beta * beta),
        remarks=("least, 0, at a = 1 / (2 beta) and b = -1 / (2 beta)",),
    ),
    aliases={"TRL": "sppo_hard", "Liger": "sppo_hard", "ms-swift": "sppo_hard", "EasyDeL": "sppo_hard"},
    singular=("beta = 0: division by 0",),
    covered="rational",
    wrong=(
        Wrong("beta-once", "the targets are 1 / beta", square(a - 1 / beta) + square(b + 1 / beta)),
        Wrong("sign", "both targets have the same sign", square(a - ipo_target) + square(b - ipo_target)),
        Wrong("margin", "one square of the margin", square((a - b) - ipo_target)),
        Wrong("halved", "half the sum", half * (square(a - ipo_target) + square(b + ipo_target))),
        Wrong("scaled", "the log-ratios are multiplied by beta", square(beta * a - half) + square(beta * b + half)),
    ),
)
