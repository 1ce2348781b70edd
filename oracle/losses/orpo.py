"""ORPO: the negative log-likelihood per token plus lambda times the odds-ratio term."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter, spelled, total
from oracle.losses._forms import f, log_odds, log_rest, lw, pc, pc_mean, pr, pr_mean
from oracle.losses._model import NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

weight = parameter("odds_weight")


LOSS = Loss(
    name="orpo",
    title="ORPO",
    definition=-pc_mean
    + weight * f(spelled(log_odds(pc_mean) - log_odds(pr_mean), (pc_mean - pr_mean) - (log_rest(pc_mean) - log_rest(pr_mean)))),
    parameters=(
        Parameter(
            "odds_weight", 0.1, NOT_NEGATIVE, "lambda: the weight of the odds-ratio term; libraries call it beta", other=0.5
        ),
    ),
    paper="Hong et al. (2024), arXiv:2403.07691",
    equation="equation 6",
    facts=Facts(
        convex=False, lower_bound=constant(0), remarks=("the likelihood term is the mean over the tokens of each response",)
    ),
    aliases={"LLaMA-Factory": "orpo", "tunix": "orpo, with the odds of sums", "TRL ORPO": "with a token mean over the batch"},
    singular=(
        "an average log-probability of 0: the log-odds are infinite",
        "above 0: no log-odds exist",
    ),
    covered="extended",
    wrong=(
        Wrong("sum", "odds of sums in place of averages", -pc_mean + weight * f(log_odds(pc) - log_odds(pr))),
        Wrong("no-odds", "probabilities in place of odds", -pc_mean + weight * f(pc_mean - pr_mean)),
        Wrong("sign", "chosen and rejected are swapped", -pc_mean + weight * f(log_odds(pr_mean) - log_odds(pc_mean))),
        Wrong("unweighted", "lambda is ignored", -pc_mean + f(log_odds(pc_mean) - log_odds(pr_mean))),
        Wrong("sum-likelihood", "the likelihood term is a sum", -pc + weight * f(log_odds(pc_mean) - log_odds(pr_mean))),
        Wrong(
            "token-mean",
            "the likelihood term is a mean over the tokens of the batch",
            -(total(pc) / total(lw)) + weight * f(log_odds(pc_mean) - log_odds(pr_mean)),
        ),
        Wrong(
            "prompt-counted",
            "the likelihood term is a mean over the tokens of the batch, with one of each prompt, which is certain",
            -(total(pc) / total(lw + 1)) + weight * f(log_odds(pc_mean) - log_odds(pr_mean)),
        ),
        Wrong("no-likelihood", "the likelihood term is missing", weight * f(log_odds(pc_mean) - log_odds(pr_mean))),
    ),
)
