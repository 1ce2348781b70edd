"""SLOPE, at its ends: large vocabularies, forbidden columns and levels, long sequences and large batches."""

from __future__ import annotations

from conformance.clauses.model import Outcome
from conformance.clauses.sequence.forbidden import forbidding
from conformance.clauses.sequence.judging import Scale
from conformance.clauses.sequence.slope import ENTRY, chapter
from conformance.clauses.trial import Trial
from conformance.inputs.sequences import drawn, full, rising
from conformance.records.record import Level


@chapter.clause(
    8,
    Level.MUST,
    "derivatives over a large vocabulary",
    statement="The derivatives over 151,936 columns shall be as good as over few.",
    derivation=f"{ENTRY} As of LOGP-5: labels in the last column and beyond 32,767.",
    needs=("gradient",),
    remedy="Write the derivative of every tile of the vocabulary, the last, shorter one too; index the label in 64 bits.",
    kills=("gradient-of-first-columns", "gradient-int16-labels"),
)
def large(trial: Trial) -> Outcome:
    """Two rows whose largest logits are far on."""
    scale = Scale(trial)
    logits = rising(trial.fmt, trial.rng("SLOPE-8"), 2)
    scale.gradient(full(logits, [logits.shape[1] - 1, 100_000], "the largest logits far on"))
    return scale.outcome()


@chapter.clause(
    9,
    Level.MUST,
    "derivatives beside forbidden columns, and at a level",
    statement="A column of −∞ shall have the derivative 0 and change no other, and a level of 10,000 in all logits none.",
    derivation=f"{ENTRY} p_j = e^−∞ = 0, and the softmax does not depend on a level.",
    needs=("gradient", "infinities"),
    remedy="In a handwritten backward too: exp(z − lse), of the log-sum-exp that the forward kept, and no product with z.",
    kills=("gradient-at-forbidden", "gradient-no-max-shift"),
)
def forbidden(trial: Trial) -> Outcome:
    """The first column, the last 5, every second; levels of 1e4 and -1e4."""
    scale = Scale(trial)
    rng = trial.rng("SLOPE-9")
    rows = drawn(rng, trial.fmt, 3, 6, 20)
    for columns, name in (
        (slice(0, 1), "column 0"),
        (slice(15, None), "the last 5"),
        (slice(None, None, 2), "every second"),
    ):
        scale.gradient(forbidding(rows, columns, f"{name} forbidden"))
    for level in (1e4, -1e4):
        scale.gradient(drawn(rng, trial.fmt, 2, 4, 33, level=level, spread=20.0, name=f"level {level:g}"))
    return scale.outcome()


@chapter.clause(
    10,
    Level.MUST,
    "derivatives far on",
    statement="A token shall have its derivatives wherever it stands, in the first of 4,199 places or in the last, and a "
    "sequence in the first row of a batch or in the last of 1,030; of a fused head, of 2,100 places and 130 rows.",
    derivation=f"{ENTRY} As of ADDED-8 and ADDED-9.",
    needs=("gradient",),
    remedy="Let the backward take every chunk that the forward took: no length, grid or number of rows that is fixed.",
    kills=("gradient-cuts-tokens", "gradient-cuts-rows"),
)
def far(trial: Trial) -> Outcome:
    """Few tokens, far apart, and many rows."""
    scale = Scale(trial)
    scale.gradient(scale.places("SLOPE-10"))
    scale.gradient(scale.rows("SLOPE-10"))
    return scale.outcome()
