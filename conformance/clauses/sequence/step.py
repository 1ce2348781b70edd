"""STEP: one optimiser step from micro-batches or ranks: the mean of the whole, whatever the partition."""

from __future__ import annotations

from typing import cast

import numpy as np

from conformance.clauses.accepted import as_pairs
from conformance.clauses.logged import each_of
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.counted import Counted
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.sequence.steps import StepsAnswer, StepsImplementation
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import short_responses
from conformance.inputs.paths import Parts
from conformance.records.record import Level
from oracle import bounds
from oracle.bounds.acceptance import centre

chapter = Chapter("STEP", "steps")
BOUND = (
    "The pairs' acceptance intervals averaged, and (n + 4k + 4) roundings of the mean size for k parts in any order "
    "(docs/bounds.md)."
)


class Whole(Counted):
    """A step against its whole batch."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.trial = trial
        self.implementation = cast("StepsImplementation", trial.implementation)
        self.claims = self.implementation.claims

    def batch(self, clause: str, n: int, beta: float = 0.1, eps: float = 0.0) -> Batch:
        """n pairs with unequal losses."""
        known = self.claims.options
        drawn = short_responses(self.trial.fmt, n, self.trial.rng(clause))
        return drawn.at(beta=beta if "beta" in known else 0.1, label_smoothing=eps if "label_smoothing" in known else 0.0)

    def ask(self, parts: Parts) -> StepsAnswer:
        """The step. Raises Misbehaviour."""
        return self.implementation.evaluate(parts, self.trial.fmt)

    def loss(self, parts: Parts, answer: StepsAnswer) -> None:
        """The loss of the step within the bound of the mean."""
        each = bounds.loss(as_pairs(parts.batch), self.trial.fmt)
        exact = centre(each.exact)
        room = np.maximum(centre(each.high) - exact, exact - centre(each.low)).mean() + self.more(parts) * np.abs(exact).mean()
        self.hold("loss", answer.loss, float(exact.mean()), float(room), parts)

    def more(self, parts: Parts) -> float:
        """The roundings of putting a mean together from parts."""
        return (len(parts.batch) + 4 * len(parts.sizes) + 4) * self.trial.fmt.unit_roundoff

    def gradient(self, parts: Parts, answer: StepsAnswer) -> None:
        """Each pair's derivatives, of the mean over all pairs."""
        if answer.gradient is None:
            return
        n = len(parts.batch)
        each = bounds.gradient(as_pairs(parts.batch), self.trial.fmt)
        size = centre(each.exact)
        room = np.maximum(centre(each.high) - size, size - centre(each.low)) / n + self.more(parts) * np.abs(size) / n
        room = room + 4 * self.trial.fmt.smallest_normal
        for name, got, sign in zip(("chosen", "rejected"), answer.gradient, (-1.0, 1.0), strict=True):
            exact = sign * size / n
            if got.shape != exact.shape:
                raise Misbehaviour("wrong shape", f"derivatives {got.shape} where {exact.shape} was promised")
            for i in range(n):
                self.hold(f"d loss / d policy_{name}_logps [{i}]", float(got[i]), float(exact[i]), float(room[i]), parts)

    def metrics(self, parts: Parts, answer: StepsAnswer) -> None:
        """What is logged, each the mean over all pairs of the step."""
        for name, got in answer.metrics.items():
            each, size = each_of(name, parts.batch)
            exact = each.mean()
            room = (self.more(parts) + 8 * self.trial.fmt.unit_roundoff) * size.mean() + 4 * self.trial.fmt.smallest_normal
            self.hold(name, got, float(exact), float(room), parts)

    def hold(self, what: str, got: float, exact: float, room: float, parts: Parts) -> None:
        """One number against its exact value."""
        if self.numbers(np.array(got), np.array(exact), np.array(room)) is not None:
            over = f"{self.worst:.3g} times what the bound allows"
            self.told = f"{what} got {got!r}, exact {exact!r}, {over} ({parts.described()})"


def _clear(batch: Batch) -> Batch:
    """The pairs whose two rewards are not nearly equal: which is larger is then certain in any order."""
    pc, pr, rc, rr = batch.logps
    return batch.take(np.flatnonzero(np.abs((pc - rc) - (pr - rr)) > 0.05 * sum(np.abs(x) for x in batch.logps)))


def _won(batch: Batch) -> Batch:
    """Each pair turned so that its margin is positive: where margins cancel, the smoothed loss is the plain one."""
    pc, pr, rc, rr = batch.logps
    lost = (pc - rc) - (pr - rr) < 0
    chosen, rejected = np.where(lost, pr, pc), np.where(lost, pc, pr)
    ref_chosen, ref_rejected = np.where(lost, rr, rc), np.where(lost, rc, rr)
    return Batch.of(chosen, rejected, ref_chosen, ref_rejected, beta=batch.beta, label_smoothing=batch.label_smoothing)


@chapter.clause(
    1,
    Level.MUST,
    "it answers",
    statement="Called with a list of micro-batches, β and label smoothing, the implementation shall return the loss of "
    "the step, finite for "
    "finite log-probabilities, with the derivatives and the metrics that it claims.",
    derivation="What is missing cannot be judged.",
    remedy='Return a mapping with "loss" and each metric by the name that is claimed.',
    kills=("step-no-loss",),
)
def answers(trial: Trial) -> Outcome:
    """One micro-batch of three pairs."""
    whole = Whole(trial)
    answer = whole.ask(Parts(whole.batch("STEP-1", 3), (3,)))
    if np.isfinite(answer.loss):
        return Outcome(1, 0)
    raise Misbehaviour("not finite", f"loss {answer.loss}")


PARTITIONS = ((1, 3), (4, 4), (2, 5, 1), (1,) * 17, (3, 3, 3, 1))


@chapter.clause(
    2,
    Level.MUST,
    "the loss of unequal parts",
    statement="The loss of a step shall be the mean over all of its pairs, whatever the partition into micro-batches or ranks.",
    derivation=BOUND,
    guards=("https://github.com/modelscope/ms-swift/issues/10144", "https://github.com/huggingface/trl/issues/2615"),
    remedy="Sum the losses of a part and divide by the number of pairs of the whole step; or weigh each part's mean by "
    "its pairs.",
    kills=("step-mean-of-means", "step-sum-of-means", "step-last-part", "step-total-sum", "step-eight-parts"),
)
def unequal(trial: Trial) -> Outcome:
    """Equal, unequal and single parts."""
    whole = Whole(trial)
    for sizes in PARTITIONS:
        parts = Parts(whole.batch("STEP-2", sum(sizes)), sizes)
        whole.loss(parts, whole.ask(parts))
    return whole.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "derivatives of unequal parts",
    statement="The derivatives of a step shall be those of the mean over all of its pairs, whatever the partition.",
    derivation=BOUND,
    needs=("gradient",),
    guards=("https://github.com/deepspeedai/DeepSpeed/issues/6841", "https://github.com/huggingface/trl/issues/2617"),
    remedy="Divide by the pairs of the whole step before the backward pass; where ranks are averaged afterwards, "
    "multiply by their number.",
    kills=("step-gradient-mean-of-means", "step-gradient-ranks-twice", "step-gradient-undivided"),
)
def derivatives(trial: Trial) -> Outcome:
    """Equal, unequal and single parts."""
    whole = Whole(trial)
    for sizes in PARTITIONS:
        parts = Parts(whole.batch("STEP-3", sum(sizes), 0.5), sizes)
        whole.gradient(parts, whole.ask(parts))
    return whole.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "an empty part",
    statement="A micro-batch or a rank of no pairs shall change neither loss nor derivatives nor metrics.",
    derivation="The mean over all pairs has no place for it; its own mean is 0/0.",
    guards=("https://github.com/NVIDIA-NeMo/RL/issues/212",),
    remedy="Count pairs and not parts.",
    kills=("step-counts-empty", "step-nan-empty"),
)
def empty(trial: Trial) -> Outcome:
    """Empty parts first, in the midst and last."""
    whole = Whole(trial)
    for sizes in ((0, 1), (2, 0, 3), (4, 0)):
        parts = Parts(_clear(whole.batch("STEP-4", 3 * sum(sizes))).take(np.arange(sum(sizes))), sizes)
        answer = whole.ask(parts)
        whole.loss(parts, answer)
        whole.gradient(parts, answer)
        whole.metrics(parts, answer)
    return whole.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "metrics",
    statement="Rewards shall be β times the policy's log-probability minus the reference's, margins their difference, "
    "accuracies the "
    "fraction of pairs whose chosen reward is strictly larger, logps the policy's: each under its own name, each the "
    "mean over all pairs.",
    derivation=f"{BOUND} 8 roundings more for a reward. Pairs of nearly equal rewards are left out of accuracies.",
    needs=("metrics",),
    guards=(
        "https://github.com/ByteDance-Seed/VeOmni/issues/1130",
        "https://github.com/hiyouga/LLaMA-Factory/issues/6050",
        "https://github.com/junkangwu/beta-DPO/issues/1",
    ),
    remedy="Weigh each part's metrics by its pairs, as its loss; use the β of the loss.",
    kills=(
        "step-metrics-added",
        "step-metrics-swapped",
        "step-rewards-without-beta",
        "step-accuracy-mean",
        "step-rewards-smoothed",
    ),
)
def metrics(trial: Trial) -> Outcome:
    """Unequal parts, with a β that is no default, with and without smoothing."""
    whole = Whole(trial)
    for sizes, eps in (((5,), 0.0), ((1, 4), 0.0), ((2, 1, 3), 0.4)):
        batch = _clear(whole.batch("STEP-5", 4 * sum(sizes), 0.5, eps)).take(np.arange(sum(sizes)))
        parts = Parts(_won(batch) if eps else batch, sizes)  # margins that do not cancel
        whole.metrics(parts, whole.ask(parts))
    return whole.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "options",
    statement="β and label smoothing shall change the loss of a step, to what the definition says.",
    derivation=BOUND,
    remedy="Pass the options on to the loss.",
    kills=("step-beta-ignored",),
)
def options(trial: Trial) -> Outcome:
    """Three betas, with and without smoothing."""
    whole = Whole(trial)
    for beta, eps in ((0.5, 0.0), (1.0, 0.4), (0.05, 0.1)):
        parts = Parts(_won(whole.batch("STEP-6", 4, beta, eps)), (1, 3))
        whole.loss(parts, whole.ask(parts))
    return whole.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "ties",
    statement="A pair of which both rewards are equal, as of all pairs before the first step, shall not count as accurate.",
    derivation="Accuracies count strictly larger rewards, as trainers log them. Policy and reference have the same "
    "log-probabilities, so that both rewards are 0 in any order of the subtractions.",
    needs=("metrics",),
    remedy="chosen_rewards > rejected_rewards: not >=.",
    kills=("step-ties-count",),
)
def ties(trial: Trial) -> Outcome:
    """The policy is its own reference in half of the pairs."""
    whole = Whole(trial)
    won = _won(_clear(whole.batch("STEP-7", 12))).take(np.arange(4))
    pc, pr, rc, rr = (values.copy() for values in won.logps)
    rc[:2], rr[:2] = pc[:2], pr[:2]
    batch = Batch.of(pc, pr, rc, rr, beta=won.beta, label_smoothing=won.label_smoothing)
    parts = Parts(batch, (1, 3))
    whole.metrics(parts, whole.ask(parts))
    return whole.outcome()
