"""FORBIDDEN: logits of −∞: padded vocabularies, forbidden tokens, an impossible label; and labels that are no token."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Scale
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.sequences import Rows, drawn, full
from conformance.records.record import Level

chapter = Chapter("FORBIDDEN", "sequence")
TILES = (1024, 8192, 32_768, 131_072)


def forbidding(rows: Rows, columns: slice, name: str) -> Rows:
    """Those columns at -inf in every row, and no label among them."""
    logits = rows.logits.copy()
    logits[..., columns] = -np.inf
    free = np.flatnonzero(np.isfinite(logits[0, 0]))
    return replace(rows, logits=logits, labels=free[rows.labels % len(free)], name=name)


@chapter.clause(
    1,
    Level.MUST,
    "padded columns",
    statement="Columns of −∞, at the end of the vocabulary or anywhere, shall count as nothing.",
    derivation="e^−∞ = 0. The bound is that of the finite logits.",
    needs=("infinities",),
    remedy="Subtract the maximum of the row: −∞ − m is −∞ and its exponential 0; multiply no probability by its logarithm.",
    kills=("infinity-to-nan", "masks-with-finite"),
)
def padded(trial: Trial) -> Outcome:
    """The last columns, every second, and all but one more than the label."""
    scale = Scale(trial)
    rows = drawn(trial.rng("FORBIDDEN-1"), trial.fmt, 3, 6, 20)
    for columns, name in (
        (slice(15, None), "the last 5"),
        (slice(None, None, 2), "every second"),
        (slice(2, None), "all but 2"),
    ):
        scale.values(forbidding(rows, columns, f"{name} columns forbidden"))
    return scale.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "a whole first tile",
    statement="The same where the forbidden columns fill the first tile of any size: 1,024, 8,192, 32,768 or 131,072 of them.",
    derivation="An online sum starts with maximum −∞, and −∞ − (−∞) is NaN unless the first finite tile starts it anew.",
    needs=("infinities",),
    remedy="Rescale the running sum only where the old maximum is finite; start with a finite number such as the "
    "format's lowest.",
    kills=("online-first-tile", "first-tile-65536"),
)
def first_tile(trial: Trial) -> Outcome:
    """The first columns forbidden; quick, of 1,024 and 131,072."""
    scale = Scale(trial)
    rng = trial.rng("FORBIDDEN-2")
    for tile in TILES if trial.profile.name != "quick" else (TILES[0], TILES[-1]):
        columns = tile + 40
        logits = trial.fmt.round_array(rng.normal(0, 2, (1, columns)))
        logits[:, :tile] = -np.inf
        scale.values(full(logits, [columns - 3], f"the first {tile:,} columns forbidden"))
    return scale.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "a forbidden label",
    statement="A label whose logit is −∞ shall have the log-probability −∞, and a derivative without NaN.",
    derivation="log 0. The derivative of the others is −p_j, and finite; of the label's own logit 1, or 0 where it is cut.",
    needs=("infinities",),
    remedy="No clamp, no epsilon inside the logarithm, no substitute for −∞.",
    kills=("clamps-logps", "epsilon-in-log"),
)
def label(trial: Trial) -> Outcome:
    """One token of which the label is forbidden."""
    scale = Scale(trial)
    logits = np.zeros((2, 33))
    logits[:, 1], logits[0, 2], logits[1, 0] = -np.inf, 1.0, 1.0
    rows = full(trial.fmt.round_array(logits), [1, 0], "a forbidden label")
    scale.values(rows)
    if scale.claims.gradient and not scale.violations:
        slopes = scale.slopes(rows, scale.answer(rows, gradient=True))
        scale.wrong(rows, not np.isnan(slopes).any(), "a derivative is NaN")
    return scale.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "a certain label",
    statement="Where every token but the label is forbidden, the log-probability shall be 0.",
    derivation="log e^0 = 0 exactly, in every form.",
    needs=("infinities",),
    remedy="As for padded columns.",
    kills=("infinity-to-nan",),
)
def certain(trial: Trial) -> Outcome:
    """All columns but the label's forbidden."""
    scale = Scale(trial)
    logits = np.full((2, 33), -np.inf)
    logits[:, 4] = 3.0
    scale.values(full(trial.fmt.round_array(logits), [4, 4], "all but the label forbidden"))
    return scale.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "NaN where it counts",
    statement="A NaN in the logits of a token that counts shall make its log-probability NaN, or be refused, and never "
    "give a number.",
    derivation="No number is true of it. A finite loss over NaN logits hides that a model has died.",
    remedy="Let NaN through: no nan_to_num, no maximum that drops it.",
    guards=("https://github.com/huggingface/trl/issues/1236",),
    kills=("nan-to-num", "drops-late-nan"),
)
def nan(trial: Trial) -> Outcome:
    """A NaN beside the label, at it, in the last column, in all, and in one of 20,000."""
    scale = Scale(trial)
    rng = trial.rng("FORBIDDEN-5")
    for size, columns in ((8, (3,)), (8, (0,)), (8, (7,)), (8, tuple(range(8))), (20_000, (12_345,))):
        logits = trial.fmt.round_array(rng.normal(0, 1, (1, size)))
        logits[0, list(columns)] = np.nan
        rows = full(logits, [0], f"NaN in {len(columns)} logits that count")
        try:
            got = scale.answer(rows).values
        except Misbehaviour as error:
            if error.kind != "raised":  # it may refuse NaN
                raise
            continue
        seen = got[rows.aligned[2]] if got.ndim > 1 else got
        scale.wrong(rows, bool(np.isnan(seen).all()), f"got {float(seen[0])!r} for NaN")
    return scale.outcome()


@chapter.clause(
    6,
    Level.SHOULD,
    "a label outside the vocabulary",
    statement="A label that counts and is no token, V or more or negative, should raise or give NaN, and never a "
    "plausible number.",
    derivation="Indices wrap, clamp or read a neighbour silently: the log-probability of another token, with a "
    "derivative into it.",
    remedy="Check the labels where the mask is true; torch's gather raises, take_along_dim wraps, JAX's default wraps "
    "negative ones.",
    kills=("clamps-labels", "wraps-labels"),
)
def outside(trial: Trial) -> Outcome:
    """V, V + 7, -1 and -100 as labels that count; what is claimed as the ignore index does not count."""
    scale = Scale(trial)
    rows = drawn(trial.rng("FORBIDDEN-6"), trial.fmt, 1, 3, 12)
    for strange in (12, 19, -1, -100):
        if strange == scale.claims.ignore_index:
            continue
        held = replace(rows, labels=np.where(rows.mask, strange, rows.labels), name=f"label {strange} of 12 columns")
        try:
            got = scale.answer(held).values
        except Misbehaviour:
            scale.wrong(held, True, "")
            continue
        seen = got[held.aligned[2]] if got.ndim > 1 else got
        scale.wrong(held, bool(np.isnan(seen).all()), f"got {float(seen[0])!r}, where no token has that number")
    return scale.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "first and last column",
    statement="The first and the last token of the vocabulary shall be as good as any.",
    derivation="Labels of 0 and V − 1 are tokens, and count where the mask says so.",
    remedy="Treat no label as a pad token: the mask says what counts.",
    kills=("mask-by-label-zero", "drops-last-tile"),
)
def ends(trial: Trial) -> Outcome:
    """Labels 0 and V - 1."""
    scale = Scale(trial)
    rng = trial.rng("FORBIDDEN-7")
    for columns in (2, 33, 1025):
        logits = trial.fmt.round_array(rng.normal(0, 2, (2, columns)))
        scale.values(full(logits, [0, columns - 1], "first and last column"))
    return scale.outcome()
