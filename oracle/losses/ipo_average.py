"""IPO, of averages over the tokens: the squared distance of the margin from 1 / (2 beta)."""

from __future__ import annotations

from oracle.expressions.nodes import constant, square
from oracle.losses._forms import average_margin, beta, half, ipo_target, margin
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="ipo_average",
    title="IPO, of averages over the tokens",
    definition=square(average_margin - ipo_target),
    parameters=(BETA,),
    paper="Azar et al. (2023), arXiv:2310.12036",
    equation="equation 17, on averages",
    facts=Facts(
        convex=True,
        lower_bound=constant(0),
        at_reference=1 / (4 * beta * beta),
        remarks=("least, 0, where the margin is 1 / (2 beta); not monotone",),
    ),
    aliases={"TRL": "ipo", "ms-swift": "ipo", "LLaMA-Factory": "ipo", "EasyDeL": "ipo"},
    singular=("beta = 0: division by 0",),
    covered="rational",
    wrong=(
        Wrong("sum", "the margin is the sum over the tokens", square(margin - ipo_target)),
        Wrong("beta-once", "the target is 1 / beta", square(average_margin - 1 / beta)),
        Wrong("beta-half", "the target is beta / 2", square(average_margin - half * beta)),
        Wrong("scaled", "the margin is multiplied by beta", square(beta * average_margin - ipo_target)),
        Wrong("sign", "the target is added", square(average_margin + ipo_target)),
        Wrong("halved", "half the square", half * square(average_margin - ipo_target)),
    ),
)
