"""Negative log-likelihood, a mean over the response."""

from __future__ import annotations

from oracle.expressions.nodes import constant, total
from oracle.losses._forms import lw, pc, pc_mean, pr_mean
from oracle.losses._model import Facts, Loss, Wrong

LOSS = Loss(
    name="nll_mean",
    title="Negative log-likelihood, a mean over the response",
    definition=-pc_mean,
    parameters=(),
    paper="the likelihood term of CPO, ORPO and RPO",
    equation="a mean per sequence",
    facts=Facts(convex=True, lower_bound=constant(0), remarks=("log-probabilities are at most 0",)),
    aliases={"LLaMA-Factory": "pref_ftx", "oat": "sft_weight"},
    covered="rational",
    wrong=(
        Wrong("sum", "the sum over the response", -pc),
        Wrong("token-mean", "the mean over the tokens of the batch", -(total(pc) / total(lw))),
        Wrong("sign", "the sign is wrong", pc_mean),
        Wrong("rejected", "the rejected response", -pr_mean),
        Wrong("halved", "half of it", -pc_mean / 2),
    ),
)
