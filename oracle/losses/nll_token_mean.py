"""Negative log-likelihood, a mean over the tokens of the batch."""

from __future__ import annotations

from oracle.expressions.nodes import constant, total
from oracle.losses._forms import ll, lw, pc, pc_mean, pr
from oracle.losses._model import Facts, Loss, Wrong

LOSS = Loss(
    name="nll_token_mean",
    title="Negative log-likelihood, a mean over the tokens of the batch",
    definition=-(total(pc) / total(lw)),
    parameters=(),
    paper="the likelihood term of CPO, ORPO and RPO",
    equation="a mean per token",
    facts=Facts(convex=True, lower_bound=constant(0), remarks=("log-probabilities are at most 0",)),
    aliases={"TRL": "sft", "ms-swift": "rpo_alpha", "Liger": "alpha"},
    covered="rational",
    wrong=(
        Wrong("sum", "the sum over the response", -pc),
        Wrong("mean", "the mean over the response", -pc_mean),
        Wrong("sign", "the sign is wrong", (total(pc) / total(lw))),
        Wrong("rejected", "the rejected response", -(total(pr) / total(ll))),
        Wrong("halved", "half of it", -(total(pc) / total(lw)) / 2),
    ),
)
