"""MASKED: what stands at a place that does not count changes nothing, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Scale
from conformance.clauses.trial import Trial
from conformance.inputs.sequences import Rows, drawn
from conformance.records.record import Level

chapter = Chapter("MASKED", "sequence")
SELECT = (
    "Select and do not multiply: where(mask, logps, 0), and the logits before the log-softmax too, where(mask[..., "
    "None], logits, 0), "
    "since the derivative of a NaN that is selected away is still NaN · 0."
)
GUARDS = (
    "https://github.com/OpenRLHF/OpenRLHF/issues/1240",
    "https://github.com/allenai/open-instruct/pull/1685",
)
DERIVATION = "Bounds as without it: the exact value does not look at that place. 0 · NaN and 0 · ∞ are NaN (IEEE 754)."


def _poisoned(trial: Trial, clause: str, poison: float) -> Iterator[Rows]:
    """Batches in which every place that does not count holds the poison: all of its logits, and one of them."""
    rows = drawn(trial.rng(clause), trial.fmt, 4, 9, 13)
    behind = np.zeros((rows.shape[0], 1), dtype=bool)  # logits predict the next place, so the last predict nothing
    counts = np.concatenate([rows.mask[:, 1:], behind], axis=1)
    every, one = rows.logits.copy(), rows.logits.copy()
    every[~counts] = poison
    one[..., 5] = np.where(counts, one[..., 5], poison)
    yield replace(rows, logits=every, name=f"{poison} in all logits of places that do not count")
    yield replace(rows, logits=one, name=f"{poison} in one logit of places that do not count")


@chapter.clause(
    1,
    Level.MUST,
    "NaN at a masked place",
    statement="A NaN in the logits of a place that does not count shall change no value.",
    derivation=DERIVATION,
    guards=GUARDS,
    remedy=SELECT,
    needs=("sequence",),
    kills=("multiplies-mask",),
)
def nan_value(trial: Trial) -> Outcome:
    """NaN in all the logits, and in one."""
    return _values(trial, "MASKED-1", np.nan)


@chapter.clause(
    2,
    Level.MUST,
    "infinity at a masked place",
    statement="A +∞ in the logits of a place that does not count shall change no value.",
    derivation=DERIVATION,
    guards=GUARDS,
    remedy=SELECT,
    needs=("sequence",),
    kills=("multiplies-mask",),
)
def infinite_value(trial: Trial) -> Outcome:
    """+inf in all the logits, and in one."""
    return _values(trial, "MASKED-2", np.inf)


def _values(trial: Trial, clause: str, poison: float) -> Outcome:
    scale = Scale(trial)
    for rows in _poisoned(trial, clause, poison):
        scale.values(rows)
    return scale.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "derivatives beside a masked NaN",
    statement="A NaN or +∞ in the logits of a place that does not count shall change no derivative of any row, and have "
    "none itself.",
    derivation="Autograd multiplies: the derivative of a log-softmax at a NaN is NaN · 0 = NaN, though the value was "
    "selected away. The rows "
    "that count are untouched, but the model's parameters are shared, and one NaN reaches them all.",
    remedy=SELECT,
    needs=("sequence", "gradient"),
    kills=("selects-late",),
)
def derivatives(trial: Trial) -> Outcome:
    """NaN and +inf: every derivative in its bound, 0 at the poisoned places."""
    scale = Scale(trial)
    for poison in (np.nan, np.inf):
        for rows in _poisoned(trial, "MASKED-3", poison):
            scale.gradient(rows)
    return scale.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "labels at masked places",
    statement="The label of a place that does not count may be anything: 0, −100, the vocabulary's size.",
    derivation="Padding has no token. A gather at −100 raises, wraps into the vocabulary, or reads what is beside it.",
    remedy="Replace the labels where the mask is false, where(mask, labels, 0), before the gather; and select after it.",
    needs=("sequence",),
    kills=("gathers-unmasked",),
)
def labels(trial: Trial) -> Outcome:
    """0 and -100 as labels of what does not count; an ignore index that is claimed is what it is."""
    scale = Scale(trial)
    rows = drawn(trial.rng("MASKED-4"), trial.fmt, 4, 9, 13)
    for label in (0, 12, -100):
        held = np.where(rows.mask, rows.labels, label)
        scale.values(replace(rows, labels=held, name=f"label {label} where nothing counts"))
    return scale.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "column 0 forbidden",
    statement="A vocabulary whose first token is forbidden, its logits −∞, shall leave the log-probabilities of the "
    "others as they are.",
    derivation="Code that replaces masked labels by 0 gathers −∞ there, and 0 · −∞ is NaN.",
    remedy=SELECT,
    needs=("sequence", "infinities"),
    kills=("multiplies-mask",),
)
def first_column(trial: Trial) -> Outcome:
    """Column 0 at -inf, and labels of 0 and of -100 where nothing counts."""
    scale = Scale(trial)
    rows = drawn(trial.rng("MASKED-5"), trial.fmt, 4, 9, 13)
    logits = rows.logits.copy()
    logits[..., 0] = -np.inf
    kept = np.where(rows.mask, np.maximum(rows.labels, 1), 0)
    for label in (0, -100):
        held = np.where(rows.mask, kept, label)
        scale.values(replace(rows, logits=logits, labels=held, name=f"column 0 forbidden, label {label} where nothing counts"))
    return scale.outcome()
