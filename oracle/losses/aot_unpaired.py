"""AOT, unpaired: the sorted chosen log-ratios against the sorted rejected ones."""

from __future__ import annotations

from oracle.expressions.nodes import sorted_batch
from oracle.losses._forms import a, b, beta, f, log2, pc, pr, rc, rr, smoothed, z
from oracle.losses._model import BETA, UNIT, Facts, Loss, Parameter, Wrong

LOSS = Loss(
    name="aot_unpaired",
    title="AOT, unpaired",
    definition=smoothed(beta * (sorted_batch(a) - sorted_batch(b))),
    parameters=(
        BETA,
        Parameter("label_smoothing", 0.0, UNIT, "share of the labels taken to be swapped", other=0.25),
    ),
    paper="Melnyk et al. (2024), arXiv:2406.05882",
    equation="the unpaired loss, logistic",
    facts=Facts(
        convex=False,
        lower_bound=None,
        at_reference=log2,
        remarks=("a value for each rank: only the mean over the batch belongs to the batch",),
    ),
    aliases={"TRL": "aot_unpaired", "ms-swift": "aot_unpaired", "TRL <= 0.24": "aot_pair", "EasyDeL": "aot_pair"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("unsorted", "nothing is sorted: conservative DPO", smoothed(z)),
        Wrong("paired", "the differences are sorted: aot", smoothed(beta * (sorted_batch(pc - pr) - sorted_batch(rc - rr)))),
        Wrong("chosen-only", "the chosen log-ratios alone are sorted", smoothed(beta * (sorted_batch(a) - b))),
        Wrong("smoothing-ignored", "label smoothing is ignored", f(beta * (sorted_batch(a) - sorted_batch(b)))),
        Wrong("sign", "chosen and rejected are swapped", smoothed(beta * (sorted_batch(b) - sorted_batch(a)))),
    ),
)
