"""What wrong losses of pairs are instead of what was asked: the usual mistakes of a path, computed right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conformance.clauses.sequence.judging import truth
from conformance.clauses.sequence.known import evaluated, numbers
from conformance.implementations.sequence.path import GROUPS, PathClaims
from conformance.inputs.paths import Paths
from conformance.inputs.sequences import Mask, Rows
from oracle.expressions.nodes import Op, walk
from oracle.formats import Floats
from oracle.losses import LENGTHS

Numbers = dict[str, Floats]


def mistakes(paths: Paths, claims: PathClaims) -> Iterator[tuple[str, Floats]]:
    """The right losses, told as "", and then those of each mistake with its name."""
    loss, parameters = claims.known, dict(paths.parameters)
    right = numbers(paths, average=claims.average)

    def of(rows: Numbers, **changed: float) -> Floats:
        return evaluated(loss.definition, {name: rows[name] for name in loss.inputs}, parameters | changed)

    yield "", of(right)
    yield "minus the loss: a fused form that subtracts it", -of(right)
    if claims.loss:
        for wrong in loss.wrong:
            taken = {node.name: right[node.name] for node in walk(wrong.definition) if node.op is Op.INPUT}
            yield f"those of another definition: {wrong.sentence}", evaluated(wrong.definition, taken, parameters)
    yield "half of the loss", of(right) / 2
    yield "twice the loss", of(right) * 2
    for told, rows in _inputs(paths, claims, right):
        yield told, of(rows)
    if claims.loss:
        for name in sorted(claims.options):
            if parameters[name] != loss.defaults[name]:
                yield f"those of {name} = {loss.defaults[name]:g}, whatever {name} is", of(right, **{name: loss.defaults[name]})
        return
    beta = parameters["beta"]
    yield "those of label_smoothing 0: it is ignored", of(right, label_smoothing=0.0)
    yield "those of β = 0.1, whatever β is", of(right, beta=0.1)
    yield "those of β squared: it is applied twice", of(right, beta=beta * beta)
    yield "those of 1/β", of(right, beta=1 / beta)
    if len(paths) > 1:
        inside = {name: np.full(len(paths), row.mean()) for name, row in right.items()}
        yield "the loss of the mean logit, where the mean of the losses is asked for", of(inside)
        yield (
            "the unsmoothed loss of the mean logit, where the mean of the losses is asked for",
            of(inside, label_smoothing=0.0),
        )


def _inputs(paths: Paths, claims: PathClaims, right: Numbers) -> Iterator[tuple[str, Numbers]]:
    """The same loss of other numbers."""
    n = len(paths)
    yield "those of chosen and rejected exchanged", _swapped(right, "chosen", "rejected")
    if claims.referenced:
        none = {name: row * 0 if name.startswith("ref_") else row for name, row in right.items()}
        own = {name: right[name.replace("ref_", "policy_")] for name in right}
        yield "those of policy and reference exchanged", _swapped(right, "policy", "ref")
        yield "those without a reference", none
        once = {name: row * 0 if name == "ref_rejected_logps" else row for name, row in right.items()}
        yield "those with the reference of the chosen alone", once
        if "ref_rejected_logps" in right:
            crossed = right | {"ref_chosen_logps": right["ref_rejected_logps"], "ref_rejected_logps": right["ref_chosen_logps"]}
            yield "those with the reference's chosen and rejected exchanged", crossed
        yield "ln 2 throughout: the reference's log-probabilities are the policy's own", own
    other = numbers(paths, average=not claims.average)
    if not set(LENGTHS) & set(claims.known.inputs):
        yield "those of sums over tokens, not means" if claims.average else "those of means over tokens, not sums", other
        if claims.referenced:
            words = ("means", "sums") if claims.average else ("sums", "means")
            for side, whose, others in (("ref_", "reference", "policy"), ("policy_", "policy", "reference")):
                mixed = {name: other[name] if name.startswith(side) else row for name, row in right.items()}
                yield f"those of {words[1]} over tokens for the {whose}, of {words[0]} for the {others}", mixed
    else:
        yield from ((told, right | dict(zip(LENGTHS, rows, strict=True))) for told, rows in _lengths(paths))
    for told, taken in (("chosen", 0), ("rejected", 1)):
        masked = [_masked(rows, paths.places[taken], paths.places[1 - taken]) for rows in (paths.policy, paths.reference)]
        changed = numbers(replace(paths, policy=masked[0], reference=masked[1]), average=claims.average)
        yield f"those with the {told} responses' mask for both", changed
    beside = _pooled(right, np.arange(claims.groups * n).reshape(n, claims.groups).T.ravel())
    yield "those of pairs that lie side by side, where the chosen come first", beside
    if claims.referenced:
        names = [name for name in right if name.startswith("ref_")]
        turned = np.split(np.roll(np.concatenate([right[name] for name in names]), 1), len(names))
        yield "those of a reference that is exchanged between pairs", right | dict(zip(names, turned, strict=True))
    every = [
        replace(rows, mask=_all(rows), labels=rows.labels.clip(0, rows.shape[2] - 1))
        for rows in (paths.policy, paths.reference)
    ]
    unmasked = numbers(replace(paths, policy=every[0], reference=every[1]), average=claims.average)
    yield "those of all places: the mask is not used", unmasked


def _lengths(paths: Paths) -> Iterator[tuple[str, list[Floats]]]:
    """Other numbers of tokens of the chosen and of the rejected responses."""
    counts, mask = truth(paths.policy).counts, paths.policy.mask
    ways = (
        ("a length that counts the first place, which nothing predicts: shift the mask, then count it", mask.sum(axis=1) * 1.0),
        ("lengths of one token more", counts + 1),
        ("lengths of one token less", counts - 1),
        ("the padded length", np.full_like(counts, mask.shape[1])),
        ("the padded length less one", np.full_like(counts, mask.shape[1] - 1)),
        ("lengths of 1: sums over tokens, where the loss takes means", np.ones_like(counts)),
    )
    chosen, rejected = paths.places[:2]
    for told, lengths in ways:
        yield f"those of {told}", [lengths[chosen], lengths[rejected]]
    yield "those of the lengths of chosen and rejected exchanged", [counts[rejected], counts[chosen]]


def _swapped(rows: Numbers, one: str, other: str) -> Numbers:
    """The numbers of two sides, or groups, exchanged, by their names."""

    def named(name: str) -> str:
        parts = [other if part == one else one if part == other else part for part in name.split("_")]
        return "_".join(parts)

    return {name: rows.get(named(name), row) for name, row in rows.items()}


def _pooled(rows: Numbers, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Numbers:
    """All sequences in another order, cut into groups again."""
    found = dict(rows)
    for names in (
        [f"policy_{group}_logps" for group in GROUPS if f"policy_{group}_logps" in rows],
        [f"ref_{group}_logps" for group in GROUPS if f"ref_{group}_logps" in rows],
    ):
        pooled = np.concatenate([rows[name] for name in names])[order]
        found |= dict(zip(names, np.split(pooled, len(names)), strict=True))
    return found


def _masked(rows: Rows, own: slice, others: slice) -> Rows:
    """With the mask of one side for the other side too."""
    mask = rows.mask.copy()
    mask[others] = rows.mask[own]
    return replace(rows, mask=mask, labels=rows.labels.clip(0, rows.shape[2] - 1))


def _all(rows: Rows) -> Mask:
    every = np.ones(rows.mask.shape, dtype=bool)
    every[:, 0] = False
    return every
