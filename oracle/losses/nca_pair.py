"""NCA for pairs: each response is told from noise by its own reward."""

from __future__ import annotations

from oracle.expressions.nodes import log, spelled
from oracle.losses._forms import f, half, log2, r_l, r_w
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="nca_pair",
    title="NCA for pairs",
    definition=spelled(f(r_w) + half * f(-r_w) + half * f(-r_l), f(r_w) + half * (f(-r_w) + f(-r_l))),
    parameters=(BETA,),
    paper="Chen et al. (2024), arXiv:2402.05369",
    equation="the pairwise NCA loss",
    facts=Facts(
        convex=True,
        lower_bound=3 * half * log(3 * half) + half * log2,
        at_reference=2 * log2,
        remarks=("least as the rejected reward falls, at a chosen reward of log 2",),
    ),
    aliases={"TRL": "nca_pair", "Liger": "nca_pair", "ms-swift": "nca_pair", "EasyDeL": "nca_pair"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("bce", "binary cross-entropy of the two rewards", f(r_w) + f(-r_l)),
        Wrong("unhalved", "the last two terms have weight 1", f(r_w) + f(-r_w) + f(-r_l)),
        Wrong("infonca", "the contrastive loss of one winner", f(r_w - r_l)),
        Wrong("sign", "the rejected reward has the wrong sign", f(r_w) + half * f(-r_w) + half * f(r_l)),
        Wrong("one-noise", "the chosen response is no noise sample", f(r_w) + half * f(-r_l)),
    ),
)
