"""ORPO's odds-ratio term: -log sigma of the difference of the log-odds of the averages."""

from __future__ import annotations

from oracle.expressions.nodes import constant, parameter, spelled
from oracle.losses._forms import f, log_odds, log_rest, pc, pc_mean, pr, pr_mean
from oracle.losses._model import NOT_NEGATIVE, Facts, Loss, Parameter, Wrong

weight = parameter("odds_weight")


LOSS = Loss(
    name="orpo_odds",
    title="ORPO, the odds-ratio term",
    definition=weight
    * f(spelled(log_odds(pc_mean) - log_odds(pr_mean), (pc_mean - pr_mean) - (log_rest(pc_mean) - log_rest(pr_mean)))),
    parameters=(
        Parameter(
            "odds_weight", 1.0, NOT_NEGATIVE, "lambda: the weight of the odds-ratio term; libraries call it beta", other=0.5
        ),
    ),
    paper="Hong et al. (2024), arXiv:2403.07691",
    equation="equation 7",
    facts=Facts(
        convex=False, lower_bound=constant(0), remarks=("needs no reference; the average log-probabilities are below 0",)
    ),
    aliases={"TRL ORPO": "odds_ratio_loss", "Liger": "ORPO", "LLaMA-Factory": "orpo"},
    singular=(
        "an average log-probability of 0: the log-odds are infinite",
        "above 0: no log-odds exist",
    ),
    covered="extended",
    wrong=(
        Wrong("sum", "odds of sums in place of averages", weight * f(log_odds(pc) - log_odds(pr))),
        Wrong("no-odds", "probabilities in place of odds", weight * f(pc_mean - pr_mean)),
        Wrong("sign", "chosen and rejected are swapped", weight * f(log_odds(pr_mean) - log_odds(pc_mean))),
        Wrong("unweighted", "lambda is ignored", f(log_odds(pc_mean) - log_odds(pr_mean))),
        Wrong("chosen-only", "the rejected response is ignored", weight * f(log_odds(pc_mean))),
    ),
)
