"""PATH: from the token logits of policy and reference to the loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.pairs import Pairs
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.paths import Paths
from conformance.inputs.sequences import drawn
from conformance.records.record import Level
from oracle import get_format

chapter = Chapter("PATH", "path")
BOUND = (
    "The sequences' own bounds enter a running error analysis of the loss's definition as errors of its inputs "
    '(docs/bounds.md, "From logits" and "Any expression").'
)


@chapter.clause(
    1,
    Level.MUST,
    "it answers",
    statement="Called with the logits of policy and reference of 2n sequences, labels, a mask, β and label smoothing, "
    "the implementation "
    "shall return n losses, or their mean as it claims, as finite floating-point numbers for finite logits.",
    derivation="As of LOGP-1.",
    remedy="Return one loss a pair; the chosen sequences come first, then the rejected ones.",
    kills=("path-returns-metrics",),
)
def answers(trial: Trial) -> Outcome:
    """One ordinary call."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-1"), 3, 6, 11)
    losses = pairs.implementation.evaluate(paths, trial.fmt).losses
    if np.isfinite(losses).all():
        return Outcome(1, 0)
    raise Misbehaviour("not finite", f"it returned {losses}")


@chapter.clause(
    2,
    Level.MUST,
    "value",
    statement="The loss shall be that of the sequences' log-probabilities under policy and reference.",
    derivation=BOUND,
    guards=(
        "https://github.com/linkedin/Liger-Kernel/pull/481",
        "https://github.com/allenai/open-instruct/issues/1868",
        "https://github.com/jingyaogong/minimind/issues/451",
    ),
    remedy="Sum the log-probabilities of each response's tokens, subtract the reference's, take chosen less rejected, and "
    "return -logsigmoid(beta times that), for every pair.",
    kills=(
        "path-negated",
        "path-no-reference",
        "path-own-reference",
        "path-token-mean",
        "path-exchanged",
        "path-interleaved",
        "path-first-eight",
        "path-cut-at-64",
        "path-stale-reference",
        "path-cut-to-chosen",
    ),
)
def value(trial: Trial) -> Outcome:
    """Unequal lengths, near and far from the reference; a shape once more, with longer rejected ones; 65 pairs."""
    pairs = Pairs(trial)
    rng = trial.rng("PATH-2")
    shapes = ((1, 4, 5, 0.5), (3, 9, 40, 0.5), (3, 9, 40, 0.5), (9, 7, 11, 3.0), (4, 6, 300, 2.0), (65, 4, 5, 1.0))
    for place, (n, length, columns, drift) in enumerate(shapes):
        paths = pairs.drawn(rng, n, length, columns, drift=drift)
        paths = paths.rejected_first() if place == 2 else paths
        for each in pairs.turned(paths.at(**pairs.options(0.1, 0.0))):
            pairs.losses(each)
    return pairs.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "policy and reference the same",
    statement="Where policy and reference have the same logits, DPO's loss shall be ln 2, to one ulp of the result's format, "
    "and another one that of log-ratios of 0.",
    derivation="The same code on the same numbers gives the same log-probabilities, their differences are 0, and f(0) = ln 2. "
    f"Another loss: {BOUND}",
    needs=("reference",),
    guards=(
        "https://github.com/eric-mitchell/direct-preference-optimization/issues/34",
        "https://github.com/NVIDIA/NeMo-Aligner/issues/227",
    ),
    remedy="Let policy and reference take the same path: the same dtype, the same kernel, the same masks, no dropout.",
    kills=("path-two-dtypes", "path-dropout"),
)
def same(trial: Trial) -> Outcome:
    """The policy beside itself."""
    pairs = Pairs(trial)
    policy = drawn(trial.rng("PATH-3"), trial.fmt, 6, 9, 30, name="policy = reference")
    paths = pairs.fitted(Paths(policy, policy)).at(**pairs.options(0.5, 0.0))
    if pairs.claims.loss:
        pairs.losses(paths)
        return pairs.outcome()
    answer = pairs.implementation.evaluate(paths, trial.fmt)
    result = get_format(answer.dtype)
    exact = np.full(answer.losses.shape, np.log(2.0))
    allowed = np.full(answer.losses.shape, 2 * result.unit_roundoff * np.log(2.0))
    pairs.hold(paths, answer.losses, exact, allowed, "loss")
    return pairs.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "options",
    statement="β and label smoothing, and each other parameter that the loss has, shall change the loss, to what the "
    "definition says.",
    derivation=BOUND,
    remedy="Pass the options on to the loss; apply β once.",
    kills=("path-beta-ignored", "path-smoothing-ignored", "path-beta-twice"),
)
def options(trial: Trial) -> Outcome:
    """Three betas, with and without smoothing; of another loss one parameter after the other."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-4"), 3, 7, 20)
    for parameters in pairs.varied():
        pairs.losses(paths.at(**parameters))
    return pairs.outcome()


@chapter.clause(
    5,
    Level.MUST,
    "masked places",
    statement="NaN and +∞ in logits that do not count, labels of −100 there, and padding shall change no loss and no "
    "derivative, and have none themselves.",
    derivation="The exact loss does not look there. As of MASKED-3.",
    guards=("https://github.com/OpenRLHF/OpenRLHF/issues/1240",),
    remedy="Select and do not multiply: where(mask, logps, 0), and the logits before the log-softmax too, where(mask[..., "
    "None], logits, 0).",
    kills=("path-multiplies-mask", "path-selects-late"),
)
def masked(trial: Trial) -> Outcome:
    """Poison in policy and reference where nothing counts."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-5"), 3, 8, 12).at(**pairs.options(0.1, 0.0))
    mask = paths.policy.mask
    counts = np.concatenate([mask[:, 1:], np.zeros((len(mask), 1), dtype=bool)], axis=1)
    labels = np.where(mask, paths.policy.labels, -100)
    for poison in (np.nan, np.inf, 0.0):
        held = []
        for rows in (paths.policy, paths.reference):
            logits = np.where(counts[..., None], rows.logits, poison)
            held.append(replace(rows, logits=logits, labels=labels, name=f"{poison} where nothing counts").padded(1, 2))
        poisoned = replace(paths, policy=held[0], reference=held[1])
        pairs.losses(poisoned)
        if pairs.claims.gradient:
            pairs.gradient(poisoned)
    return pairs.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "derivatives",
    statement="The derivatives of the loss in the policy's logits shall be its derivative in a sequence's log-probability "
    "times those of the log-probability: of DPO, β (ε − σ(−z)) for the chosen one and minus that for the rejected one. The "
    "loss shall be what it is where no derivative is asked for.",
    derivation="The slope's bound times the token's, and crosswise; 0 where nothing counts.",
    needs=("gradient",),
    remedy="Detach the reference and nothing of the policy; a handwritten backward multiplies by the incoming derivative.",
    kills=("path-gradient-halved", "path-detached", "path-gradient-sign", "path-loss-with-graph"),
)
def gradient(trial: Trial) -> Outcome:
    """Every entry."""
    pairs = Pairs(trial)
    rng = trial.rng("PATH-6")
    for columns in (5, 60):
        for paths in pairs.turned(pairs.drawn(rng, 3, 6, columns)):
            pairs.gradient(paths.at(**pairs.options(0.5, 0.0)))
            pairs.gradient(paths.at(**pairs.options(0.1, 0.25)))
    return pairs.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "the inputs are left alone",
    statement="A call shall not change the logits of policy or reference, labels or mask; nor hidden states, weights or bias.",
    derivation="As of TIDY-1.",
    remedy="No operation in place.",
    kills=("path-in-place", "path-reference-in-place"),
)
def untouched(trial: Trial) -> Outcome:
    """The bytes of the inputs."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-7"), 2, 6, 12)
    wrote = pairs.implementation.evaluate(paths, trial.fmt).wrote
    pairs.wrong(paths, not wrote, f"it changed {', '.join(wrote)} in place")
    return pairs.outcome()
