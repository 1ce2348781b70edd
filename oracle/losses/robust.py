"""Robust DPO: the loss debiased of labels that are wrong with a known probability."""

from __future__ import annotations

from oracle.expressions.nodes import spelled
from oracle.losses._forms import eps, f, log2, smoothed, z
from oracle.losses._model import BELOW_HALF, BETA, Facts, Loss, Parameter, Wrong

LOSS = Loss(
    name="robust",
    title="Robust DPO",
    definition=spelled(
        ((1 - eps) * f(z) - eps * f(-z)) / (1 - 2 * eps),
        (1 - eps) / (1 - 2 * eps) * f(z) - eps / (1 - 2 * eps) * f(-z),
        f(z) - eps / (1 - 2 * eps) * z,
    ),
    parameters=(
        BETA,
        Parameter("label_smoothing", 0.1, BELOW_HALF, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Chowdhury et al. (2024), arXiv:2403.00409",
    equation="the rDPO loss",
    facts=Facts(
        convex=True,
        lower_bound=None,
        at_reference=log2,
        remarks=(
            "conservative DPO with the negative smoothing -eps / (1 - 2 eps)",
            "falls without bound as the logit rises, where eps > 0",
        ),
    ),
    aliases={"TRL": "robust", "Liger": "robust", "ms-swift": "robust", "EasyDeL": "robust"},
    singular=("label_smoothing = 1/2: division by 0; beyond it the sign of the loss turns",),
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("undivided", "the division by 1 - 2 eps is missing", (1 - eps) * f(z) - eps * f(-z)),
        Wrong("conservative", "conservative DPO instead", smoothed(z)),
        Wrong("smoothing-ignored", "label smoothing is ignored", f(z)),
        Wrong("divided-once", "divided by 1 - eps", ((1 - eps) * f(z) - eps * f(-z)) / (1 - eps)),
        Wrong("mixed-and-divided", "the sum is divided instead of the difference", smoothed(z) / (1 - 2 * eps)),
    ),
)
