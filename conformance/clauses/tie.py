"""TIE: where chosen and rejected are the same numbers, in the policy and in the reference, nobody wins."""

from __future__ import annotations

import numpy as np

from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.ends import DERIVATION, judged_pairs, tally_gradients
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import LOSS, METRICS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.implementations.protocol import ACCURACIES
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import far_from_reference, near_reference, short_responses
from conformance.records.record import Level

chapter = Chapter("TIE")
_BETAS = (0.1, 0.25, 1.0, 5.0)


def _exact(trial: Trial) -> Batch:
    """Ties of eighths of a nat down to -8, whose differences and rewards are exact, at beta = 1/4 where it is claimed."""
    grid = -np.arange(0, 65, 3) / 8
    chosen, reference = (x.ravel() for x in np.meshgrid(grid, grid[::-1]))
    few = np.random.default_rng([trial.seed, 7]).permutation(len(chosen))[: 8 if trial.single else 60]
    pc, rc = chosen[few], reference[few]
    return trial.optioned(Batch.of(pc, pc, rc, rc), beta=0.25, label_smoothing=0.0)


def _drawn(trial: Trial, clause: str) -> Batch:
    """Ties at log-probabilities of every size."""
    rng, few = trial.rng(clause), max(1, trial.sizes.pairs // 12)
    drawn = [draw(trial.fmt, few, rng) for draw in (near_reference, far_from_reference, short_responses)]
    pc, rc = (np.concatenate(x) for x in zip(*((b.policy_chosen_logps, b.ref_chosen_logps) for b in drawn), strict=True))
    return judged_pairs(trial, Batch.of(pc, pc, rc, rc))


@chapter.clause(
    1,
    Level.MUST,
    "the loss of a tie is ln 2",
    kills=(
        "tie-left-out",
        "tie-loses",
    ),
    statement="Where chosen and rejected have the same log-probabilities in the policy, and the same in the reference, the "
    "loss shall be ln 2, with label smoothing or without, within its acceptance interval.",
    derivation="The margin is exactly 0 and softplus(0) = ln 2, of which label smoothing mixes two. For eighths of a nat every "
    "admitted order gives 0, the sequential ones too. " + DERIVATION,
    remedy="Treat a pair whose two log-ratios are equal as any other: its loss is ln 2, not 0, and it is not left out.",
)
def loss(trial: Trial) -> Outcome:
    """Losses of ties."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        batch = _exact(trial).at(label_smoothing=smoothing)
        tally.interval(LOSS, batch, trial.answer(batch).losses, accepted_losses(trial, batch))
    return tally.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "the derivatives of a tie",
    kills=(
        "tie-without-gradient",
        "tie-loses",
    ),
    statement="Where chosen and rejected have the same log-probabilities in the policy, and the same in the reference, the "
    "derivative in policy_chosen shall be -beta (1/2 - eps), and the others likewise, within their acceptance intervals.",
    derivation="A tie is where the preference has still to be learned: sigma(0) = 1/2. " + DERIVATION,
    needs=("gradient",),
    remedy="Let a stable log-sigmoid be differentiated at 0: no mask, no sign, and no case for equal log-ratios.",
)
def gradient(trial: Trial) -> Outcome:
    """Derivatives in ties."""
    tally = Tally(trial)
    for smoothing in trial.offered("label_smoothing", (0.0, 0.1)):
        batch = _exact(trial).at(label_smoothing=smoothing)
        tally_gradients(tally, trial.answer(batch, gradient=True), batch, accepted_gradients(trial, batch))
    return tally.outcome()


@chapter.clause(
    3,
    Level.SHOULD,
    "the loss of every tie, the same bits",
    kills=("rewards-contracted",),
    statement="Where chosen and rejected have the same log-probabilities in the policy, and the same in the reference, the "
    "loss should be the same number as that of four zeros, whatever the log-probabilities and beta.",
    derivation="(pc - rc) - (pr - rr), (pc - pr) - (rc - rr) and beta (pc - rc) - beta (pr - rr) are exactly 0 there, each of "
    "two equal numbers being rounded to the same. ((pc - rc) - pr) + rr leaves a rounding error of the size of an ulp of a "
    "log-probability; a product contracted into a fused multiply-subtract leaves that of the other product.",
    remedy="Take the log-ratios' difference before the product with beta: what a compiler may contract is then one product.",
)
def same_bits(trial: Trial) -> Outcome:
    """Losses of drawn ties against that of zeros."""
    tally, batch = Tally(trial), _drawn(trial, "TIE-3")
    for beta in trial.offered("beta", _BETAS):
        these = batch.at(beta=beta)
        nothing = trial.answer(Batch.of(0.0, 0.0, beta=beta)).losses
        got = trial.answer(these).losses
        tally.boolean(LOSS, these, got, got == nothing)
    return tally.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "a tie is no win",
    kills=("rewards-contracted",),
    statement="Where chosen and rejected have the same log-probabilities in the policy, and the same in the reference, the "
    "accuracy shall be 0, whatever the log-probabilities and beta.",
    derivation="The two rewards are one function of the same numbers, and a number is not above itself. Contracted into "
    "fma(beta, pc - rc, -RN(beta (pr - rr))), as a compiler may, the difference of the rewards is the rounding error of a "
    "product, of either sign: half of all ties are then won, while the loss stays within its interval.",
    guards=("https://github.com/huggingface/trl/issues/2371",),
    needs=("metrics",),
    remedy="Compare the two rewards, chosen > rejected, and not their difference with 0; or compare the log-ratios.",
)
def no_win(trial: Trial) -> Outcome:
    """Accuracy of drawn ties."""
    tally, batch = Tally(trial), _drawn(trial, "TIE-4")
    for beta in trial.offered("beta", _BETAS):
        these = batch.at(beta=beta)
        if len(these):
            found = trial.implementation.metrics(these, trial.fmt)
            for name in (name for name in ACCURACIES if name in found):
                tally.whole(METRICS[name], these, found[name], 0.0 if found[name] == 0 else float("inf"))
    return tally.outcome()
