"""Negative log-likelihood, a sum over the response."""

from __future__ import annotations

from oracle.expressions.nodes import constant, total
from oracle.losses._forms import lw, pc, pc_mean, pr
from oracle.losses._model import Facts, Loss, Wrong

LOSS = Loss(
    name="nll_sum",
    title="Negative log-likelihood, a sum over the response",
    definition=-pc,
    parameters=(),
    paper="the likelihood term of CPO, ORPO and RPO",
    equation="a sum",
    facts=Facts(convex=True, lower_bound=constant(0), remarks=("log-probabilities are at most 0",)),
    aliases={"NeMo-RL": "sft_loss_weight, unless told to average"},
    covered="rational",
    wrong=(
        Wrong("mean", "the mean over the response", -pc_mean),
        Wrong("token-mean", "the mean over the tokens of the batch", -(total(pc) / total(lw))),
        Wrong("sign", "the sign is wrong", pc),
        Wrong("rejected", "the rejected response", -pr),
        Wrong("halved", "half of it", -pc / 2),
    ),
)
