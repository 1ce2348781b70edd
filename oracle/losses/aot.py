"""AOT, paired: the sorted differences of the policy against the sorted differences of the reference."""

from __future__ import annotations

from oracle.expressions.nodes import sorted_batch
from oracle.losses._forms import a, b, beta, f, log2, pc, pr, rc, rr, smoothed, z
from oracle.losses._model import BETA, UNIT, Facts, Loss, Parameter, Wrong

LOSS = Loss(
    name="aot",
    title="AOT, paired",
    definition=smoothed(beta * (sorted_batch(pc - pr) - sorted_batch(rc - rr))),
    parameters=(
        BETA,
        Parameter("label_smoothing", 0.0, UNIT, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Melnyk et al. (2024), arXiv:2406.05882",
    equation="the paired loss, logistic",
    facts=Facts(
        convex=False,
        lower_bound=None,
        at_reference=log2,
        remarks=("a value for each rank: only the mean over the batch belongs to the batch",),
    ),
    aliases={"TRL": "aot", "ms-swift": "aot", "EasyDeL": "aot"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("unsorted", "nothing is sorted: conservative DPO", smoothed(z)),
        Wrong("unpaired", "the log-ratios are sorted: aot_unpaired", smoothed(beta * (sorted_batch(a) - sorted_batch(b)))),
        Wrong("policy-only", "the policy's differences alone are sorted", smoothed(beta * (sorted_batch(pc - pr) - (rc - rr)))),
        Wrong("smoothing-ignored", "label smoothing is ignored", f(beta * (sorted_batch(pc - pr) - sorted_batch(rc - rr)))),
        Wrong("sign", "policy and reference are swapped", smoothed(beta * (sorted_batch(rc - rr) - sorted_batch(pc - pr)))),
    ),
)
