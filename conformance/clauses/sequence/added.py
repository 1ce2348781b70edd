"""ADDED: which tokens are added up: the shift, the mask, padding, rows, sum or mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Scale, truth
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.sequences import Rows, drawn
from conformance.records.record import Level
from oracle.sequence import bounds

chapter = Chapter("ADDED", "sequence")
SUMMED = "The tokens' bounds added up, and (1 + u)^(n − 1) − 1 of the sum of their sizes for the additions (docs/bounds.md)."


def _batch(trial: Trial, clause: str, *, length: int = 9, batch: int = 4) -> Rows:
    return drawn(trial.rng(clause), trial.fmt, batch, length, 13)


@chapter.clause(
    1,
    Level.MUST,
    "sum or mean",
    statement="A sequence's log-probability shall be the sum over its tokens, or their mean where that is claimed, with "
    "sequences of unequal lengths.",
    derivation=f"{SUMMED} A mean divides by the number of tokens that count.",
    needs=("sequence",),
    guards=("https://github.com/linkedin/Liger-Kernel/pull/693", "https://github.com/jingyaogong/minimind/issues/451"),
    remedy="Sum over tokens for DPO. Where the mean is meant, claim average=True; divide by the tokens that count and "
    "not by the padded length.",
    kills=("mean-for-sum", "divides-by-length", "sum-over-batch", "negative"),
)
def sums(trial: Trial) -> Outcome:
    """Sequences of unequal lengths."""
    scale = Scale(trial)
    for length in (3, 9, 17):
        scale.values(_batch(trial, "ADDED-1", length=length))
    return scale.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "the shift",
    statement="The logits at a place shall score the next token, and be paired with it once.",
    derivation="Each place has a distribution of its own, so a label or a mask that is one place off gives other numbers.",
    guards=("https://github.com/verl-project/verl/issues/6475",),
    remedy="Drop the last logits and the first label and mask, all three, once: logits[:, :-1], labels[:, 1:], mask[:, 1:]. "
    "shift=True says that the function does it, and without it logits and labels come aligned.",
    kills=("no-shift", "shift-twice", "mask-not-shifted", "mask-shifted-alone", "rolls"),
)
def shift(trial: Trial) -> Outcome:
    """Every place certain of another token: one label in its place costs 0, off its place much."""
    scale = Scale(trial)
    rng = trial.rng("ADDED-2")
    labels = np.array([rng.permutation(8) for _ in range(3)])
    logits = np.zeros((3, 8, 8))
    np.put_along_axis(logits[:, :-1], labels[:, 1:, None], 3.0 + 0.5 * np.arange(7)[None, :, None], axis=2)
    logits[:, -1, 0] = 3.0
    mask = np.ones((3, 8), dtype=bool)  # the first token too: nothing predicts it, whoever rolls lets the last place do so
    mask[1, :4], mask[2, 5:] = False, False
    scale.values(Rows("each place certain of its next token", logits, labels.astype(np.int64), mask).rounded(trial.fmt))
    return scale.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "the mask",
    statement="The tokens that the mask leaves out, in a prompt, in the midst or at the end, shall not count, and all "
    "others shall.",
    derivation=SUMMED,
    guards=("https://github.com/huggingface/trl/issues/6879", "https://github.com/NVIDIA-NeMo/Megatron-Bridge/issues/4660"),
    remedy="Take the mask as it is given: not from the labels' values, not from the pad token (which may be the end "
    "token), not from the attention mask.",
    needs=("sequence",),
    kills=(
        "mask-ignored",
        "mask-first-token",
        "mask-by-label-zero",
        "drops-last-token",
        "counts-prompt",
        "mean-where-all-count",
    ),
)
def mask(trial: Trial) -> Outcome:
    """A prompt, a hole, an end, the last token alone; a label 0 that counts; and no token that does not count."""
    scale = Scale(trial)
    rows = _batch(trial, "ADDED-3", batch=6)
    scale.values(rows)
    chosen = np.zeros(rows.mask.shape, dtype=bool)
    for i, places in enumerate(([8], [1], [1, 8], [2, 3, 4, 5, 6, 7, 8], [1, 2, 3], [4, 6])):
        chosen[i, places] = True
    labels = rows.labels.copy()
    labels[:, 3], labels[:, 8] = 0, rows.shape[2] - 1
    scale.values(replace(rows, mask=chosen, labels=labels, name="every kind of mask"))
    scale.values(replace(rows, mask=np.ones(rows.mask.shape, dtype=bool), name="every token counts"))
    return scale.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "padding",
    statement="Padding on the left, on the right, more of it or none shall not change a log-probability beyond the bound.",
    derivation=f"The same tokens count. {SUMMED}",
    guards=("https://github.com/allenai/open-instruct/issues/1900",),
    remedy="Let nothing but the mask decide: no position, no length of the padded row.",
    needs=("sequence",),
    kills=("length-scaled", "left-padding"),
)
def padding(trial: Trial) -> Outcome:
    """The same sequences in wider batches."""
    scale = Scale(trial)
    rows = _batch(trial, "ADDED-4")
    for left, right in ((0, 0), (0, 8), (8, 0), (3, 5)):
        scale.values(replace(rows.padded(left, right), name=f"padded {left} left, {right} right"))
    return scale.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "rows stand alone",
    statement="A sequence's log-probability shall not depend on the others in its batch.",
    derivation="The exact value does not; both answers lie within the same bound of it.",
    remedy="Reduce over tokens within a row alone; where rows are packed, let no token score the next row's first.",
    kills=("batch-maximum", "mixes-rows"),
)
def alone(trial: Trial) -> Outcome:
    """Each row of a batch by itself, and beside one of much larger logits."""
    scale = Scale(trial)
    rows = _batch(trial, "ADDED-5")
    loud = rows.logits.copy()
    loud[0] = trial.fmt.round_array(loud[0] * 64 + 2000)
    beside = replace(rows, logits=loud, name="beside a row of large logits")
    scale.values(beside)
    for i in range(rows.shape[0]):
        scale.values(replace(rows.take([i]), name=f"row {i} alone"))
    return scale.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "no token",
    statement="A sequence of which no token counts shall have the sum 0, and shall change neither value nor derivative "
    "of another; "
    "an average of nothing is undefined, and shall stay in its own row.",
    derivation="The empty sum is 0. 0/0 in one row is NaN there, and in the derivatives of every row through a mean.",
    guards=(
        "https://github.com/huggingface/trl/issues/6548",
        "https://github.com/allenai/open-instruct/issues/1625",
        "https://github.com/NVIDIA-NeMo/RL/issues/158",
    ),
    remedy="Divide by max(count, 1), or by where(count > 0, count, 1).",
    needs=("sequence",),
    kills=("count-plus-one", "empty-row-minus-inf"),
)
def nothing(trial: Trial) -> Outcome:
    """An empty row between others."""
    scale = Scale(trial)
    rows = _batch(trial, "ADDED-6")
    chosen = rows.mask.copy()
    chosen[1] = False
    hollow = replace(rows, mask=chosen, name="a row of which nothing counts")
    try:
        scale.values(hollow)
    except Misbehaviour as error:
        if error.kind != "raised":  # it may refuse such a row, and say so
            raise
        return Outcome(1, 0)
    if scale.claims.gradient:
        answer = scale.answer(hollow, gradient=True)
        exact, allowed = scale.gradient_allowed(hollow, answer, bounds.must)
        got = scale.slopes(hollow, answer)
        keep = [0, 2, 3]
        scale.hold(hollow, got[keep], exact[keep], allowed[keep], "d logp / d logits of the other rows")
    return scale.outcome()


@chapter.clause(
    7,
    Level.SHOULD,
    "many tokens",
    statement="The tokens of a long sequence should be added in blocks or in a wider format: within 2 log2 T + 16 roundings.",
    derivation="Told in nats: 19 nats are 0.3 ulp of a bfloat16 sum of −11,000, and times β they are what the loss sees. "
    "A running "
    "bfloat16 sum of −1 sticks at −256.",
    remedy="Add up in float32: logps.float().sum(-1); or with the framework's own sum, not by a scatter or a segment sum "
    "in 16 bits.",
    needs=("sequence",),
    kills=("sixteen-bit-running-sum",),
)
def many(trial: Trial) -> Outcome:
    """1,000 equal tokens of two columns."""
    scale = Scale(trial)
    tokens = 1000
    logits = np.zeros((1, tokens + 1, 2))
    logits[..., 1] = trial.fmt.round_array(np.array(0.5))
    chosen = np.ones((1, tokens + 1), dtype=bool)
    chosen[:, 0] = False
    rows = Rows("1,000 equal tokens", logits, np.zeros((1, tokens + 1), dtype=np.int64), chosen)
    answer = scale.answer(rows)
    fmt = scale.arithmetic(answer)
    exact = truth(rows).sequences(average=scale.claims.average)
    size = np.abs(exact) * fmt.unit_roundoff * (bounds.should(tokens) + 8)
    scale.hold(rows, answer.values, exact, size + bounds.stored(exact, trial.fmt))
    return scale.outcome()


@chapter.clause(
    8,
    Level.MUST,
    "tokens far on",
    statement="A token shall count wherever it stands: in the first of 4,199 places, in the last, and between; of a fused "
    "head, of 2,100.",
    derivation=f"{SUMMED} Few tokens count, so that the bound is narrow in every format.",
    remedy="Cut nothing to a maximal length here, and let no chunk of the sequence be left out.",
    needs=("sequence",),
    kills=("cuts-at-512", "cuts-at-4096", "cuts-last-chunk"),
)
def far(trial: Trial) -> Outcome:
    """4,200 places of three columns, of which some count."""
    scale = Scale(trial)
    scale.values(scale.places("ADDED-8"))
    return scale.outcome()


@chapter.clause(
    9,
    Level.MUST,
    "many rows",
    statement="A batch of 1,030 sequences, of a fused head of 130, shall be as good as one of three.",
    derivation=SUMMED,
    remedy="Compute every row of the batch: no buffer, grid or loop of a fixed size.",
    kills=("cuts-at-64-rows", "cuts-at-512-rows"),
)
def rows_many(trial: Trial) -> Outcome:
    """Rows of few tokens and columns."""
    scale = Scale(trial)
    scale.values(scale.rows("ADDED-9"))
    return scale.outcome()
