"""DPO: -log sigma of the logit."""

from __future__ import annotations

from oracle.expressions.nodes import constant
from oracle.losses._forms import beta, f, log2, margin, z
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="sigmoid",
    title="DPO",
    definition=f(z),
    parameters=(BETA,),
    paper="Rafailov et al. (2023), arXiv:2305.18290",
    equation="equation 7",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=log2, remarks=("falls as the logit rises",)),
    aliases={"TRL": "sigmoid", "Liger": "sigmoid", "ms-swift": "sigmoid", "torchtune": "DPOLoss", "LLaMA-Factory": "sigmoid"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("sign", "the logit has the wrong sign", f(-z)),
        Wrong("no-beta", "beta is ignored", f(margin)),
        Wrong("beta-squared", "beta is applied twice", f(beta * z)),
    ),
)
