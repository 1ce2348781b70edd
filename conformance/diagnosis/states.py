"""What is kept between calls, found by asking twice, and by asking another batch of the same size in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from conformance.clauses.trial import Trial
from conformance.diagnosis.points import Points
from conformance.diagnosis.probe import PAIRS, Call, ask, wrong_derivatives, wrong_losses
from conformance.diagnosis.shapes import KEEP
from conformance.diagnosis.variants import RIGHT, predicted
from conformance.errors import Misbehaviour
from conformance.inputs.batch import NAMES, Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding, Verdict

_ALONE = 4
"""Of the wrong pairs of a call, which are asked again by themselves."""
_OWN = (
    "Let each pair's loss be its own: no maximum, mean, norm, sort or padding over the batch before -log sigma, and nothing "
    "of one pair written where another's is read."
)
SIZE = 23
"""Of the batches, so that no clause has asked for one of that size before."""
_DRAWN = f"{KEEP} Nothing random either: no dropout in the loss, no race, no buffer that is not written."
Mixture = Callable[[Batch, Batch], Batch]

MIXTURES: tuple[tuple[str, str, Mixture], ...] = (
    (
        "keeps the reference of an earlier call",
        "the loss with the reference of an earlier call",
        lambda now, then: Batch(*now.logps[:2], *then.logps[2:], now.beta, now.label_smoothing),
    ),
    (
        "keeps the policy of an earlier call",
        "the loss with the policy's log-probabilities of an earlier call",
        lambda now, then: Batch(*then.logps[:2], *now.logps[2:], now.beta, now.label_smoothing),
    ),
    (
        "keeps the batch of an earlier call",
        "the loss of an earlier call's batch",
        lambda now, then: then.at(beta=now.beta, label_smoothing=now.label_smoothing),
    ),
    (
        "keeps the options of an earlier call",
        "the loss at the beta and label_smoothing of an earlier call",
        lambda now, then: now.at(beta=then.beta, label_smoothing=then.label_smoothing),
    ),
    ("keeps the answer of an earlier call", "the answer of an earlier call", lambda now, then: then),
)
"""(key, what is returned, the batch whose loss that is), of this call and of an earlier one."""


def kept(trial: Trial, findings: Sequence[Finding]) -> Cause | None:
    """What an implementation keeps between calls, where its answers show it; None where they do not, or give a mean."""
    if trial.single:
        return None
    calls = _asked(trial)
    if any(call.answer is None for call in calls):
        return None
    first, same, second, again = calls
    wrong = wrong_losses(trial, second)
    if not wrong_losses(trial, first).any() and wrong.any() and np.array_equal(first.losses, again.losses):
        for key, says, mixture in MIXTURES:
            held = predicted(RIGHT, mixture(second.batch, first.batch), trial.fmt).losses.holds(second.losses)
            if held.all():
                return _cause(key, says, "in a second batch of the same size", KEEP, wrong)
    if not all(np.array_equal(first.losses, other.losses, equal_nan=True) for other in (same, again)):
        return _changed(trial, same, again, first)
    conforming = any(f.clause in {"CALL-1", "DEF-1"} and f.verdict is Verdict.CONFORMS for f in findings)
    if np.isnan(first.losses).all() and conforming:
        says = "NaN, whatever is asked, once a NaN or an infinity has been asked: it was kept from that call"
        return _cause("keeps a NaN", says, "", KEEP, np.ones(SIZE, dtype=bool))
    return None


def _asked(trial: Trial) -> tuple[Call, Call, Call, Call]:
    """A batch, the same again, another of its size under other options, and the first once more."""
    short = Batch.of(*PAIRS)
    first = short.take(np.resize(np.arange(len(short)), SIZE))
    second = short.take(np.resize(np.arange(len(short)), SIZE)[::-1].copy())

    def optioned(batch: Batch, beta: float, eps: float) -> Batch:
        (beta,), (eps,) = trial.offered("beta", (beta,)), trial.offered("label_smoothing", (eps,))
        return batch.at(beta=beta, label_smoothing=eps)

    plain, other = optioned(first, 0.5, 0.1), optioned(second, 1.0, 0.3)
    return ask(trial, "", plain), ask(trial, "", plain), ask(trial, "", other), ask(trial, "", plain)


def _changed(trial: Trial, same: Call, again: Call, first: Call) -> Cause:
    wrong = wrong_losses(trial, again) | wrong_losses(trial, same) | wrong_losses(trial, first)
    at_once = not np.array_equal(first.losses, same.losses, equal_nan=True)
    says = "not the same" + (
        " when the same is asked twice" if at_once else " when the same is asked again after another batch"
    )
    return _cause("another answer", f"{says}: something is kept between calls, or drawn at random", "", _DRAWN, wrong)


def unrepeated(trial: Trial, findings: Sequence[Finding]) -> Cause | None:
    """The cause where every worst input, asked again, is right: nothing but what was asked before made it wrong."""
    asked = 0
    for finding in findings:
        worst = finding.worst
        if worst is None or worst.quantity != "loss" or trial.single:
            return None
        logps = ([float.fromhex(value) for value in worst.inputs[name]] for name in NAMES)
        batch = Batch.of(*logps, beta=float.fromhex(worst.beta), label_smoothing=float.fromhex(worst.label_smoothing))
        try:
            call = ask(trial, "", batch)
        except Misbehaviour:
            return None
        if call.answer is None or wrong_losses(trial, call).any() or np.float64(call.losses[0]).hex() == worst.got:
            return None
        asked += 1
    says = "right when the inputs that were wrong are asked again: something is kept between calls, or drawn at random"
    return _cause("right when asked again", says, "", _DRAWN, np.ones(asked, dtype=bool)) if asked else None


def beside(trial: Trial, *parts: Points) -> Cause | None:
    """The cause where every wrong pair that is asked again by itself is right, so that what stands beside it enters."""
    for asked in parts:
        if trial.single or not asked.wrong.any():
            continue
        judge, tried = (wrong_losses if asked.part == "loss" else wrong_derivatives), 0
        for call, wrong in zip(asked.calls, asked.by_call(asked.wrong), strict=True):
            if len(call.batch) == 1 or call.how or not wrong.any():
                continue
            for place in np.flatnonzero(wrong)[:_ALONE]:
                if judge(trial, ask(trial, "", call.batch.take([place]))).any():
                    return None
                tried += 1
        if tried:
            says = "right for the pair by itself, and wrong beside other pairs: what stands beside it enters"
            return Cause("beside others", Kind.BATCH, asked.part, says, "in a batch", _OWN, len(asked.wrong), tried)
    return None


def _cause(key: str, says: str, place: str, cure: str, wrong: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Cause:
    return Cause(key, Kind.BATCH, "loss", says, place, cure, SIZE, int(wrong.sum()))
