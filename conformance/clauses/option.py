"""OPTION: every option that is claimed is alive, and changes the answer to the right answer."""

from __future__ import annotations

import numpy as np

from conformance.clauses.mistakes import exchanged, judge_explained
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.trial import Trial
from conformance.inputs.batch import Batch
from conformance.records.record import Level

chapter = Chapter("OPTION")

_APART = (
    "The inputs are chosen so that each usual mistake moves the loss by far more than any bound; where the answers are "
    "those of such a mistake, the finding names it. Silently ignored options are the field's largest class of bugs."
)


def telling() -> Batch:
    """Pairs with margins 3, -2, 7, 0.5, 5 and -1, every log-ratio non-zero, and a mean margin that is not zero."""
    return Batch.of(
        [-20, -31, -12, -40, -15, -22],
        [-25, -27, -18, -38.5, -21, -20],
        [-22, -30, -16, -41, -18, -21.5],
        [-24, -28, -15, -39, -19, -20.5],
    )


@chapter.clause(
    1,
    Level.MUST,
    "beta is alive",
    kills=(
        "beta-ignored",
        "beta-twice",
        "beta-inverse",
        "beta-on-a-grid",
    ),
    statement="An implementation that takes beta shall give, for each of beta = 0.01, 0.05, 0.25, 0.5, 2 and 4, and of "
    "six drawn from 0.02 to 2, the loss of that beta.",
    derivation=_APART + " beta = 1 hides beta applied twice and 1 / beta, so it is not among them.",
    guards=(
        "https://github.com/AI-Hypercomputer/maxtext/pull/1530",
        "https://github.com/linkedin/Liger-Kernel/pull/378",
    ),
    needs=("beta",),
    remedy="Multiply the margin by the beta that was passed: once, and not by a default or a global one.",
)
def beta_alive(trial: Trial) -> Outcome:
    """Losses at several beta, listed and drawn."""
    drawn = np.exp(trial.rng("OPTION-1").uniform(np.log(0.02), np.log(2), 6)).tolist()
    return judge_explained(trial, (telling().at(beta=beta) for beta in (0.01, 0.05, 0.25, 0.5, 2.0, 4.0, *drawn)))


@chapter.clause(
    2,
    Level.MUST,
    "label smoothing is alive",
    kills=(
        "label-smoothing-ignored",
        "robust-for-conservative",
        "label-smoothing-on-a-grid",
    ),
    statement="An implementation that takes label_smoothing shall give, for each of eps = 0, 0.05, 0.1, 0.25 and 0.5, and of "
    "six drawn from 0.01 to 0.5, the conservative loss of that eps: neither the plain one nor the robust one.",
    derivation=_APART + " The mean margin is not zero: otherwise DPO and cDPO agree in the mean, since cDPO = DPO + "
    "eps mean(z). The robust loss divides by 1 - 2 eps and may be negative.",
    guards=("https://github.com/huggingface/trl/pull/3906", "https://github.com/huggingface/trl/pull/7063"),
    needs=("label_smoothing",),
    remedy="Use the label smoothing that was passed: (1 - eps) * softplus(-z) + eps * softplus(z).",
)
def label_smoothing_alive(trial: Trial) -> Outcome:
    """Losses at several eps, listed and drawn."""
    (beta,) = trial.offered("beta", (0.5,))
    drawn = np.exp(trial.rng("OPTION-2").uniform(np.log(0.01), np.log(0.5), 6)).tolist()
    return judge_explained(trial, (telling().at(beta=beta, label_smoothing=eps) for eps in (0.0, 0.05, 0.1, 0.25, 0.5, *drawn)))


@chapter.clause(
    3,
    Level.MUST,
    "the reference counts",
    kills=(
        "reference-ignored",
        "reference-swapped",
    ),
    statement="The loss shall depend on both reference log-probabilities as the definition says.",
    derivation=_APART,
    guards=(
        "https://github.com/linkedin/Liger-Kernel/pull/405",
        "https://github.com/huggingface/trl/issues/1962",
    ),
    remedy="Subtract both reference log-probabilities, each from its own policy's.",
)
def reference(trial: Trial) -> Outcome:
    """Losses of one policy against references that differ in one log-probability at a time."""
    a, b, c, d = telling().logps
    shifts = (0.0, -6.0, 5.0)
    moved = (Batch.of(a, b, np.minimum(c + x, 0), np.minimum(d + y, 0)) for x in shifts for y in shifts)
    return judge_explained(trial, moved)


@chapter.clause(
    4,
    Level.MUST,
    "chosen and rejected are told apart",
    kills=(
        "pair-swapped",
        "absolute-margin",
    ),
    statement="Exchanging chosen and rejected shall change the sign of the logit: each pair and its exchange have their "
    "own loss.",
    derivation=_APART,
    guards=("https://github.com/tensorflow/tensorflow/issues/3719",),
    remedy="Check the order of the arguments, and take no absolute value of the margin.",
)
def roles(trial: Trial) -> Outcome:
    """Losses of pairs and of their exchanges."""
    return judge_explained(trial, (telling(), exchanged(telling())))
