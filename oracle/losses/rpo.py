"""RPO: DPO plus alpha times the negative log-likelihood per token of the chosen response."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter, total
from oracle.losses._forms import f, lw, pc, pc_mean, pr_mean, z
from oracle.losses._model import BETA, NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

alpha = parameter("alpha")


LOSS = Loss(
    name="rpo",
    title="RPO: DPO plus a likelihood term per token of the response",
    definition=f(z) - alpha * pc_mean,
    parameters=(
        BETA,
        Parameter("alpha", 0.5, NOT_NEGATIVE, "the weight of the likelihood term", other=2.0),
    ),
    paper="Pang et al. (2024), arXiv:2404.19733",
    equation="equation 1",
    facts=Facts(convex=True, lower_bound=constant(0)),
    aliases={"LLaMA-Factory": "pref_ftx", "oat": "sft_weight", "TRL": "[sigmoid, sft], with a token mean over the batch"},
    covered="Lindemann-Weierstrass",
    wrong=(
        Wrong("ignored", "alpha is ignored", f(z)),
        Wrong("sum", "the likelihood term is a sum", f(z) - alpha * pc),
        Wrong(
            "token-mean", "the likelihood term is a mean over the tokens of the batch", f(z) - alpha * (total(pc) / total(lw))
        ),
        Wrong("sign", "the likelihood term has the wrong sign", f(z) + alpha * pc_mean),
        Wrong("rejected", "the likelihood of the rejected response", f(z) - alpha * pr_mean),
        Wrong("blend", "the two terms are weighted 1 - alpha and alpha", (1 - alpha) * f(z) - alpha * pc_mean),
    ),
)
