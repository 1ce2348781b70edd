"""DPO of averages: each log-ratio is divided by its response's length."""

from __future__ import annotations

from oracle.expressions.nodes import constant, spelled
from oracle.losses._forms import a, average_margin, b, beta, f, ll, log2, lw, z
from oracle.losses._model import POSITIVE, Facts, Loss, Parameter, Wrong

LOSS = Loss(
    name="sigmoid_norm",
    title="Length-normalised DPO",
    definition=f(spelled(beta * average_margin, beta * a / lw - beta * b / ll)),
    parameters=(Parameter("beta", 2.0, POSITIVE, "inverse temperature: scales the log-ratios", other=5.0),),
    paper="Lambert et al. (2024), arXiv:2411.15124",
    equation="length-normalised DPO",
    facts=Facts(convex=True, lower_bound=constant(0), at_reference=log2),
    aliases={"TRL": "sigmoid_norm", "open-instruct": "dpo_norm"},
    singular=("a length of 0 is no length: TRL and open-instruct take 1",),
    compared=({"beta": 0.1},),
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("sum", "the lengths are ignored", f(z)),
        Wrong("swapped-lengths", "each log-ratio is divided by the other's length", f(beta * (a / ll - b / lw))),
        Wrong("chosen-length", "both are divided by the chosen length", f(beta * (a / lw - b / lw))),
        Wrong("rejected-length", "both are divided by the rejected length", f(beta * (a / ll - b / ll))),
        Wrong("joint-length", "the margin is divided by the mean length", f(2 * beta * (a - b) / (lw + ll))),
    ),
)
