"""Why a log-probability of a sequence, or a whole path, violates: the usual mistakes, tried on calls of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from conformance.clauses.sequence.instead import mistakes as of_rows
from conformance.clauses.sequence.instead import near
from conformance.clauses.sequence.judging import sequence_gradient
from conformance.clauses.sequence.mistaken import mistakes as mistakes_of_paths
from conformance.clauses.sequence.pairs import Pairs
from conformance.clauses.trial import Trial
from conformance.diagnosis.hypotheses.cures import SMOOTHING
from conformance.errors import Misbehaviour
from conformance.implementations.sequence.protocol import SequenceImplementation
from conformance.inputs.sequences import Rows, drawn
from conformance.records.diagnosis import Cause, Kind
from oracle.formats import Floats
from oracle.sequence import bounds

Call = tuple[Floats, Mapping[str, Floats]]
"""What came back, and what each mistake gives there; the right numbers under ""."""
_TURNED = (
    "Take the first half for the chosen responses and the second for the rejected ones, and subtract the reference's "
    "log-probabilities from the policy's."
)
CURES = {
    "whatever the mask says": "Select by the mask alone, the first and the last place too: where(mask, logps, 0).sum(-1).",
    "for the reference, of": "Reduce policy and reference alike: the sum over the tokens that count, or the mean, of both.",
    "for the policy, of": "Reduce policy and reference alike: the sum over the tokens that count, or the mean, of both.",
    "mask for both": "Give each response its own mask: chosen and rejected are of unlike length.",
    "rolled": "Slice and do not roll: logits[:, :-1], labels[:, 1:], mask[:, 1:]; mask a packed sequence's last place.",
    "mean over the tokens": "Sum the log-probabilities of the tokens that count; divide by nothing, or claim average=True.",
    "the sum, where the mean": "Divide each sum by its own number of tokens that count; or leave average=True out.",
    "the negative": "Return log-probabilities, which are at most 0: the label's logit minus logsumexp of the row.",
    "in bits": "Take natural logarithms.",
    "taken for padding": "Mask padding by its place, or by the mask that is passed: a token's id may be 0.",
    "the prompt counts": "Select by the mask before the sum: where(mask, logps, 0).sum(-1).",
    "from the left": "Select by the mask and not by the first so many places: padding may stand left.",
    "share of the width": "Sum over the tokens that count, or divide by their number: mask.sum(-1).",
    "the mask as it was": "Shift labels and mask together: labels[:, 1:], mask[:, 1:], logits[:, :-1].",
    "not shifted": "Let the logits at a place score the next token: logits[:, :-1] with labels[:, 1:] and mask[:, 1:].",
    "shift made twice": "Shift once: in the caller or in the function.",
    "second shift": "Logits and labels come aligned: shift nothing, or claim shift=True for what comes as a model gives it.",
    "mask is not used": "Select by the mask before the sum: where(mask, logps, 0).sum(-1).",
    "last token": "Count every token that the mask keeps, an end token too; mask padding by its place and not by its id.",
    "first token": "Count every token that the mask keeps, the first one too.",
    "one token more": "Divide by the number of tokens that are scored: mask[:, 1:].sum(-1) after a shift.",
    "padded length": "Divide by the tokens that count, mask.sum(-1), or by nothing; not by the width of the batch.",
    "temperature": "Divide the logits by the temperature that is passed, once.",
    "for all rows": "Sum over the tokens of each row alone: sum(-1).",
    "another order": "Return each row's number at the row's own place.",
    "minus the loss": "Add the preference loss, -logsigmoid(z): do not subtract it.",
    "of chosen and rejected exchanged": _TURNED,
    "policy and reference exchanged": _TURNED,
    "without a reference": "Subtract the reference's log-probabilities from the policy's.",
    "reference of the chosen alone": "Subtract the reference's log-probability of both responses.",
    "reference's chosen": "Subtract each reference log-probability from the policy's of the same response.",
    "the policy's own": "Compute the reference's log-probabilities from the reference's own logits or hidden states.",
    "means over tokens, not sums": "Sum the log-probabilities of a response's tokens; or claim the mean, average=True.",
    "sums over tokens, not means": "Divide each response's sum by its number of tokens; or leave average=True out.",
    "label_smoothing 0": SMOOTHING,
    "β": "Multiply the margin by the beta that is passed, once.",
    "half of the loss": "Return the loss itself, times nothing.",
    "twice the loss": "Return the loss itself, times nothing.",
    "mean logit": "Take the log-sigmoid of each pair's logit, and the mean of the losses.",
    "side by side": "The chosen sequences come first, all of them, then the rejected ones.",
    "exchanged between pairs": "Take each pair's own reference: a cache is keyed by the example, not by its place.",
    "sum over the pairs": "Divide by the number of pairs.",
}  # fmt: skip
"""What mends a mistake, by a part of what is said of it; the first that is found."""
SUMMED = "the sum over the pairs, where the mean is claimed"
FACTORS = {
    0.5: "half of the right ones",
    2.0: "twice the right ones",
    -1.0: "the right ones with the opposite sign",
    0.0: "0, always: the result is cut off from the logits, or the backward pass returns zeros",
}
BACKWARD = (
    "Let autograd differentiate it; a handwritten backward multiplies what it kept by grad_output, once. No .detach() and no "
    "no_grad between the policy's logits and the result."
)
_OPTIONS = ((0.5, 0.0), (2.0, 0.0), (0.25, 0.3), (0.1, 0.0))


def causes(trial: Trial) -> list[Cause]:
    """What explains its numbers, or, where these are right, its derivatives; empty where nothing does."""
    path = trial.implementation.claims.kind == "path"
    try:
        if path and (changing := _unrepeated(trial)):
            return [changing]
        calls = [call for call in (_paths(trial) if path else _rows(trial)) if call[1]]
        found = _explained(calls, "loss" if path else "log-probabilities")
        return found or (list(_slopes(trial, path=path)) if trial.implementation.claims.gradient else [])
    except Misbehaviour:
        return []


def _unrepeated(trial: Trial) -> Cause | None:
    """Other losses for the same logits: dropout, or another source of chance."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("diagnosis"), 3, 7, 9).at(**pairs.options(0.5, 0.0))
    first, second = (pairs.implementation.evaluate(paths, trial.fmt).losses for _ in range(2))
    close = np.abs(first - second) <= 2.0**-6 * np.abs(first)
    if bool((close | np.isnan(first)).all()):
        return None
    cure = "Switch dropout and whatever else is drawn off in policy and reference: model.eval()."
    return Cause("not repeated", Kind.BATCH, "loss", "not the same when the same is asked twice", "", cure, 2, 1)


def _rows(trial: Trial) -> Iterator[Call]:
    judged = cast("SequenceImplementation", trial.implementation)
    if judged.claims.returns != "sequence":
        return
    for rows in _drawn(trial):
        answer = judged.evaluate(rows, trial.fmt, gradient=False)
        yield answer.values, dict(of_rows(rows, judged.claims))


def _drawn(trial: Trial) -> Iterator[Rows]:
    rng = trial.rng("diagnosis")
    heated = "temperature" in trial.implementation.claims.options
    for batch, length, columns in ((1, 5, 3), (3, 9, 12), (18, 7, 5)):
        rows = drawn(rng, trial.fmt, batch, length, columns)
        yield rows
        if heated:
            yield replace(rows, temperature=0.5)


def _paths(trial: Trial) -> Iterator[Call]:
    pairs = Pairs(trial)
    rng = trial.rng("diagnosis")
    whole = pairs.claims.reduction == "mean" or pairs.claims.known.has_batch_state
    for n, parameters in zip((1, 3, 18, 4), itertools.cycle(_parameters(pairs)), strict=False):
        paths = pairs.drawn(rng, n, 7, 9, drift=1.5).at(**parameters)
        answer = pairs.implementation.evaluate(paths, trial.fmt)
        found = dict(mistakes_of_paths(paths, pairs.claims))
        if whole:
            summed = {SUMMED: found[""].sum(keepdims=True)}
            found = {told: values.mean(keepdims=True) for told, values in found.items()} | summed
        yield np.mean(answer.losses, keepdims=True).reshape(1) if whole else answer.losses, found


def _parameters(pairs: Pairs) -> list[dict[str, float]]:
    """Each option changed, all at once or one after the other; the defaults of a loss that has none."""
    return list(pairs.varied()) or [{}] if pairs.claims.loss else [pairs.options(*each) for each in _OPTIONS]


def _explained(calls: Sequence[Call], part: str) -> list[Cause]:
    """The mistakes that give every number, where right code does not."""
    if not calls or all(near(got, values[""]) for got, values in calls):
        return []
    if (placed := _placed(calls, part)) is not None:
        return [placed]
    named = dict.fromkeys(name for _, values in calls for name in values if name)
    points = sum(len(got) for got, _ in calls)
    return [
        Cause(name, Kind.FORMULA, part, name, "", cure(name), points, points)
        for name in named
        if all(_gives(got, values, name) for got, values in calls)
    ]


def _placed(calls: Sequence[Call], part: str) -> Cause | None:
    """Right up to some place of a batch, and wrong from there on; None where it is not so."""
    got, values = max(calls, key=lambda call: len(call[0]))
    wrong = np.array([not near(got[i : i + 1], values[""][i : i + 1]) for i in range(len(got))])
    first = int(wrong.argmax())
    others = (near(numbers, found[""]) for numbers, found in calls if len(numbers) <= first)
    if not first or not wrong[first:].all() or not all(others):
        return None
    says = "0" if not got[first:].any() else "NaN" if np.isnan(got[first:]).all() else "other numbers"
    cure = "Compute every pair of the batch: no buffer, grid or loop of a fixed size."
    return Cause(
        "from a place on", Kind.BATCH, part, says, f"from place {first + 1} of a batch on", cure, len(got), int(wrong.sum())
    )


def _gives(got: Floats, values: Mapping[str, Floats], name: str) -> bool:
    """Whether the numbers are the mistake's; where it makes no difference, the right ones."""
    expected = values.get(name, values[""])
    return got.shape == expected.shape and near(got, expected)


def cure(said: str) -> str:
    """What mends a mistake; empty where nothing is known."""
    return next((mends for part, mends in CURES.items() if part in said), "")


def _slopes(trial: Trial, *, path: bool) -> Iterator[Cause]:
    """A factor that all derivatives have in common."""
    got, exact = _of_path(trial) if path else _of_rows(trial)
    if got is None:
        yield Cause("no gradient", Kind.GRADIENT, "derivatives", "no gradient at all: the result is not attached to the logits",
                    "", BACKWARD, 0, 0)  # fmt: skip
        return
    half = len(got) // 2
    whole = _factor(got, exact)
    if whole is not None and abs(whole - 1) > 0.03:
        yield _multiplied(whole, "", got.size)
    elif whole is None and path and len(got) == 2 * half:
        for name, rows in (("chosen", slice(half)), ("rejected", slice(half, None))):
            factor = _factor(got[rows], exact[rows])
            if factor is not None and abs(factor - 1) > 0.03:
                yield _multiplied(factor, f"in the {name} responses", got.size // 2)


def _factor(got: Floats, exact: Floats) -> float | None:
    """The factor that all derivatives have in common; None for none."""
    large = np.abs(exact) > 0.05 * np.abs(exact).max()
    if not large.any():  # of responses that the loss does not take
        return None
    factors = got[large] / exact[large]
    middle = float(np.median(factors))
    return middle if np.isfinite(factors).all() and np.ptp(factors) <= 0.02 + 0.02 * abs(middle) else None


def _multiplied(factor: float, where: str, size: int) -> Cause:
    known = next((says for value, says in FACTORS.items() if abs(factor - value) < 0.02), f"{factor:.3g} times the right ones")
    return Cause(f"derivatives times {factor:.3g}", Kind.GRADIENT, "derivatives", known, where, BACKWARD, size, size)


def _of_rows(trial: Trial) -> tuple[Floats | None, Floats]:
    judged = cast("SequenceImplementation", trial.implementation)
    claims, rows = judged.claims, list(_drawn(trial))[-1]
    answer = judged.evaluate(rows, trial.fmt, gradient=True)
    fmt = claims.arithmetic(trial.fmt, answer.dtype)
    exact, _ = sequence_gradient(rows, fmt, trial.fmt, bounds.must, average=claims.average)
    return _cut(answer.gradient, exact, shift=claims.shift), exact


def _of_path(trial: Trial) -> tuple[Floats | None, Floats]:
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("diagnosis"), 3, 6, 5).at(**pairs.options(0.5, 0.0))
    answer = pairs.implementation.evaluate(paths, trial.fmt, gradient=True)
    known, fmt = pairs.known(paths, answer), pairs.claims.arithmetic(trial.fmt, answer.dtype)
    each, _ = sequence_gradient(paths.policy, fmt, trial.fmt, bounds.must, average=pairs.claims.average)
    share = 1 / len(paths) if pairs.claims.reduction == "mean" else 1.0
    exact = share * np.concatenate([part for part, _ in known.slopes])[:, None, None] * each
    return _cut(answer.gradient, exact, shift=pairs.claims.shift), exact


def _cut(got: Floats | None, exact: Floats, *, shift: bool) -> Floats | None:
    """Without the last place, which predicts nothing; None where there is none."""
    found = got if got is None or not shift else got[:, :-1]
    return None if found is None or found.shape != exact.shape or np.isnan(found).all() else found
