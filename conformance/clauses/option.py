"""OPTION: every option that is claimed is alive, and changes the answer to the right answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.clauses.accepted import gradients_ahead
from conformance.clauses.admitted import STATED, may_be_refused
from conformance.clauses.ends import judge_gradients, judge_losses, judged_ahead
from conformance.clauses.mistakes import exchanged, judge_explained
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.tally import Tally
from conformance.clauses.trial import MANY, Trial
from conformance.errors import Misbehaviour
from conformance.inputs.batch import Batch
from conformance.records.record import Level

chapter = Chapter("OPTION")

_APART = (
    "The inputs are chosen so that each usual mistake moves the loss by far more than any bound; where the answers are "
    "those of such a mistake, the finding names it. Silently ignored options are the field's largest class of bugs."
)
_EVENLY = (
    "The drawn ones are evenly apart in their logarithms, from a drawn place on, so that a band of values in which an option "
    "is replaced is met surely where it is wider than their step: "
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
        "beta-from-6-to-25",
    ),
    statement="An implementation that takes beta shall give, for each of beta = 0.01, 0.05, 0.25, 0.5, 1.75, 2 and 4, and of "
    "24 drawn from 0.001 to 1,000, the loss of that beta.",
    derivation=_APART
    + " beta = 1 hides beta applied twice and 1 / beta, so it is not among them. "
    + _EVENLY
    + "here two neighbours lie a factor of 1.78 apart.",
    guards=(
        "https://github.com/AI-Hypercomputer/maxtext/pull/1530",
        "https://github.com/linkedin/Liger-Kernel/pull/378",
    ),
    needs=("beta",),
    remedy="Multiply the margin by the beta that was passed: once, and not by a default or a global one.",
)
def beta_alive(trial: Trial) -> Outcome:
    """Losses at several beta, listed and drawn."""
    return judge_explained(trial, (telling().at(beta=beta) for beta in _betas(trial, "OPTION-1")))


def _betas(trial: Trial, clause: str) -> tuple[float, ...]:
    """Listed and drawn, so that no list of values is enough."""
    return (0.01, 0.05, 0.25, 0.5, 1.75, 2.0, 4.0, *_drawn(trial, clause, 1e-3, 1e3, 24))


def _smoothings(trial: Trial, clause: str) -> tuple[float, ...]:
    return (0.0, 0.05, 0.1, 0.25, 0.5, *_drawn(trial, clause, 1e-3, 0.5, 12))


def _drawn(trial: Trial, clause: str, least: float, most: float, n: int) -> list[float]:
    """n numbers, evenly apart in their logarithms, from a drawn place on: no band wider than a step is without one."""
    steps = (np.arange(n) + trial.rng(clause).uniform()) / n
    drawn: list[float] = (least * (most / least) ** steps).tolist()
    return drawn


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
    "12 drawn from 0.001 to 0.5, the conservative loss of that eps: neither the plain one nor the robust one.",
    derivation=_APART + " The mean margin is not zero: otherwise DPO and cDPO agree in the mean, since cDPO = DPO + "
    "eps mean(z). The robust loss divides by 1 - 2 eps and may be negative. " + _EVENLY + "here a factor of 1.68.",
    guards=("https://github.com/huggingface/trl/pull/3906", "https://github.com/huggingface/trl/pull/7063"),
    needs=("label_smoothing",),
    remedy="Use the label smoothing that was passed: where it is not 0, (1 - eps) * losses - eps * logsigmoid(-z).",
)
def label_smoothing_alive(trial: Trial) -> Outcome:
    """Losses at several eps, listed and drawn."""
    (beta,) = trial.offered("beta", (0.5,))
    smoothings = trial.offered("label_smoothing", _smoothings(trial, "OPTION-2"))
    return judge_explained(trial, (telling().at(beta=beta, label_smoothing=eps) for eps in smoothings))


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
    "own loss, and so has a pair that is alike in the policy alone, in the reference alone or in one response, and one that is "
    "the pair before it.",
    derivation=_APART,
    guards=("https://github.com/tensorflow/tensorflow/issues/3719",),
    remedy="Check the order of the arguments, and take no absolute value of the margin.",
)
def roles(trial: Trial) -> Outcome:
    """Losses of pairs and of their exchanges."""
    return judge_explained(trial, (telling(), exchanged(telling()), _alike()))


def _alike() -> Batch:
    """Pairs of which the policy cannot tell the responses apart, or the reference cannot, or one response has not moved."""
    rows = [-20, -20, -22, -24], [-20, -25, -21, -21], [-18, -22, -18, -23], [-12, -14, -16, -14]
    return Batch.of(*np.array([row for row in rows for _ in range(2)], dtype=np.float64).T)


@chapter.clause(
    5,
    Level.MUST,
    "options in the derivatives",
    kills=("gradient-beta-on-a-grid", "gradient-label-smoothing-on-a-grid", "gradient-remembered-by-logit"),
    statement="The derivatives shall be those of the beta and of the label smoothing that were passed, for beta = 0.01, "
    "0.05, 0.25, 1.75, 2 and 4 and eps = 0.05 and 0.25, and for 12 drawn from 0.001 to 1,000 and 8 from 0.001 to 0.5, where "
    "they are claimed; also for log-probabilities of which another beta has made the same logits before.",
    derivation="A backward pass of its own takes its options anew: the loss may be right under an option that the derivative "
    "ignores, rounds or keeps from an earlier call. " + _APART + " " + _EVENLY + "here a factor of 3.16 and of 2.17.",
    guards=("https://github.com/huggingface/trl/pull/3906",),
    needs=("gradient",),
    remedy="Hand the options of this call to the backward pass: beta * (sigma(-z) - eps), with both of them.",
)
def options_in_derivatives(trial: Trial) -> Outcome:
    """Derivatives at several beta and several eps, listed and drawn."""
    tally, telling_ = Tally(trial), telling()
    betas = trial.offered("beta", (0.01, 0.05, 0.25, 1.75, 2.0, 4.0, *_drawn(trial, "OPTION-5 beta", 1e-3, 1e3, 12)))
    smoothings = trial.offered("label_smoothing", (0.05, 0.25, *_drawn(trial, "OPTION-5 eps", 1e-3, 0.5, 8)))
    batches = [telling_.at(beta=beta) for beta in betas]
    batches += [trial.optioned(telling_, beta=0.5, label_smoothing=eps) for eps in smoothings]
    if "beta" in trial.implementation.claims.options:  # the same logits as the second's, and other derivatives
        batches.append(Batch.of(*(x / 2 for x in telling_.logps), beta=0.5))
    gradients_ahead(trial, batches)
    for batch in batches:
        judge_gradients(tally, trial, batch)
    return tally.outcome()


_COVERED = f"A claim of an option covers every value. {STATED} To clamp, to round or to replace a value is a wrong answer. "


def _judge_unless_refused(trial: Trial, batches: Sequence[Batch]) -> Outcome:
    """Losses, and derivatives where they are claimed, of the pairs that do not overflow; what is refused is counted."""
    tally, refused = Tally(trial), ""
    judges = (judge_losses, judge_gradients) if trial.implementation.claims.gradient else (judge_losses,)
    for pairs in judged_ahead(trial, batches, *judges):
        try:
            judge_losses(tally, trial, pairs)
        except Misbehaviour as error:
            if error.kind != "raised" or not _admitted(pairs):
                raise
            _answered_alike(trial, pairs, str(error))
            tally.count("refused", len(pairs))
            refused = f"it refuses some of them: {error}"
            continue
        if judge_gradients in judges:
            judge_gradients(tally, trial, pairs)
        if _admitted(pairs) and len(pairs):
            _answered_alike(trial, pairs, None)
    return tally.outcome(note=refused)


def _admitted(pairs: Batch) -> bool:
    return may_be_refused(beta=pairs.beta, label_smoothing=pairs.label_smoothing)


def _answered_alike(trial: Trial, pairs: Batch, said: str | None) -> None:
    """Raises Misbehaviour where it answers some pairs and refuses others, or the same with derivatives, at the same options.

    said: by what it refuses these pairs; None where it answers them.
    """
    n = len(pairs)
    asked = [("one pair", pairs.take([n - 1]), False), ("3 pairs", pairs.take(np.arange(3) % n), False)]
    if not trial.single:
        asked.append((f"{MANY:,} pairs", pairs.take(np.arange(MANY) % n), False))
    if said is not None:
        asked.append((f"{n} pairs again", pairs, False))
        if trial.implementation.claims.gradient:
            asked.append((f"{n} pairs with derivatives", pairs, True))
    for what, those, gradient in asked:
        if trial.raises(those, gradient=gradient) != (said is not None):
            does = "refuses {} and answers {}" if said is not None else "answers {} and refuses {}"
            options = f"beta = {pairs.beta:g}, label_smoothing = {pairs.label_smoothing:g}"
            raise Misbehaviour("raised", f"at {options} it {does.format(f'{n} pairs', what)}")


@chapter.clause(
    6,
    Level.MUST,
    "any beta",
    kills=("beta-absolute", "beta-at-most-1000", "beta-at-least-1e-5", "refuses-beta-0-of-few"),
    statement="An implementation that takes beta shall give the loss and the derivatives of a beta that is negative, 0, below "
    "0.001 or above 1,000, with label smoothing too, or refuse it always, wherever nothing on the way to the logit overflows.",
    derivation=_COVERED
    + "The definition holds for every real beta: a negative one exchanges chosen and rejected, 0 makes every "
    "loss ln 2. "
    + _EVENLY
    + "here a factor of 3.16, in 1e-7 to 0.001 and in 1,000 to 1e6. Pairs of margins from 2^-9 to 7, so that the logits are "
    "neither all 0 nor all beyond overflow.",
    needs=("beta",),
    remedy="Use the beta that was passed, or raise: no absolute value, no clamp, no default in the place of 0.",
)
def any_beta(trial: Trial) -> Outcome:
    """Losses and derivatives at beta of either sign and of every size."""
    small, large = _drawn(trial, "OPTION-6 small", 1e-7, 1e-3, 8), _drawn(trial, "OPTION-6 large", 1e3, 1e6, 6)
    near = Batch.of(*(x / 256 for x in telling().logps))
    ordinary = (-0.1, -2.0, 0.0, 1e-6, *small, *_drawn(trial, "OPTION-6 tiny", 1e-30, 1e-8, 1))
    huge = (-300.0, 8e3, *large, -3e4, *_drawn(trial, "OPTION-6 vast", 1e7, 1e30, 1))
    batches = [telling().at(beta=beta) for beta in ordinary] + [near.at(beta=beta) for beta in huge]
    batches += [trial.optioned(telling(), beta=beta, label_smoothing=0.25) for beta in (-0.5, 0.004, 6.0)]
    return _judge_unless_refused(trial, batches)


@chapter.clause(
    7,
    Level.MUST,
    "any label smoothing",
    kills=(
        "label-smoothing-at-most-half",
        "label-smoothing-below-1e-3-ignored",
        "label-smoothing-below-1e-7-ignored",
        "refuses-half-of-many",
    ),
    statement="An implementation that takes label_smoothing shall give the loss and the derivatives of an eps from 1/2 to 1, "
    "and of one below 0.001, down to 1e-30 where the format holds it, or refuse it always.",
    derivation=_COVERED + "The loss is (1 - eps) softplus(-z) + eps softplus(z) for every eps from 0 to 1; above 1/2 it is the "
    "loss of labels that are wrong more often than right. "
    + _EVENLY
    + "here a factor of 10 in 1e-7 to 0.001, and of 1.12 from 1/2.",
    needs=("label_smoothing",),
    remedy="Use the label smoothing that was passed, or raise: no clamp, and no tolerance below which it counts as 0.",
)
def any_smoothing(trial: Trial) -> Outcome:
    """Losses and derivatives at eps near 0, above 1/2 and at 1."""
    tiny = _drawn(trial, "OPTION-7 tiny", 1e-30, 1e-7, 3) if trial.fmt.emin < -100 else []
    drawn = [*tiny, *_drawn(trial, "OPTION-7 small", 1e-7, 1e-3, 4), *_drawn(trial, "OPTION-7 large", 0.5, 1, 6)]
    (beta,) = trial.offered("beta", (0.5,))
    # beta * 5e-4 is above the smallest normal number of binary16, below which a derivative of 0 is right
    far = ([-1.0, -300.0], [-300.0, -1.0], [-1.0] * 2, [-1.0] * 2)  # a small eps counts: eps z beside a vanished loss
    pairs = Batch.of(*(np.concatenate(both) for both in zip(telling().logps, far, strict=True)), beta=beta)
    return _judge_unless_refused(trial, [pairs.at(label_smoothing=eps) for eps in (1e-6, 5e-4, 0.5, 0.75, 1.0, *drawn)])
