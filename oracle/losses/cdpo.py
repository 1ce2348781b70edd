"""Conservative DPO: the loss of labels that are wrong with a known probability."""

from __future__ import annotations

from oracle.expressions.nodes import log
from oracle.losses._forms import eps, f, log2, smoothed, z
from oracle.losses._model import BETA, UNIT, Facts, Loss, Parameter, Wrong

LOSS = Loss(
    name="cdpo",
    title="Conservative DPO",
    definition=smoothed(z),
    parameters=(
        BETA,
        Parameter("label_smoothing", 0.1, UNIT, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Mitchell (2023), A note on DPO with noisy preferences and relationship to IPO",
    equation="the cDPO loss",
    facts=Facts(
        convex=True,
        lower_bound=-eps * log(eps) - (1 - eps) * log(1 - eps),
        at_reference=log2,
        remarks=("least at the logit log((1 - eps) / eps), where it is the entropy of eps",),
    ),
    aliases={
        "TRL <= 0.28": "sigmoid with label_smoothing",
        "ms-swift": "sigmoid with label_smoothing",
        "EasyDeL": "kto among its DPO types",
    },
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("smoothing-ignored", "label smoothing is ignored", f(z)),
        Wrong("smoothing-swapped", "the two labels' weights are swapped", eps * f(z) + (1 - eps) * f(-z)),
        Wrong("robust", "the debiased loss of robust DPO instead", (((1 - eps) * f(z)) - eps * f(-z)) / (1 - 2 * eps)),
        Wrong("unweighted", "the swapped label's term has no weight of its own", (1 - eps) * f(z) + eps * f(z)),
        Wrong("half", "half the smoothing is applied", f(z) + eps * z / 2),
    ),
)
