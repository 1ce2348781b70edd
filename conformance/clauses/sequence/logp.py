"""LOGP: the log-probability of one token, from its row of logits."""

from __future__ import annotations

import numpy as np

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.sequence.judging import Scale, at, truth
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.sequences import LARGE, Rows, dominated, drawn, flat, full, joined, near_zero, rising
from conformance.records.record import Level
from oracle import get_format
from oracle.sequence import bounds

chapter = Chapter("LOGP", "sequence")
COLUMNS = (2, 7, 64, 1000, 4096)
BOUND = (
    "|error| ≤ u (|z_t − m| + |lse| + E_p|z − m| + 4 + 4 log s + 2|logp|) + Cu/(1 − Cu), u of the format in which it adds up"
)


def ordinary(trial: Trial, clause: str) -> list[Rows]:
    """Small batches over vocabularies of every size, of narrow and of wide logits."""
    rng = trial.rng(clause)
    found = [drawn(rng, trial.fmt, 3, 6, columns, spread=spread) for columns in COLUMNS[:4] for spread in (0.5, 3.0)]
    return [*found, drawn(rng, trial.fmt, 1, 5, COLUMNS[4])]


def stress(trial: Trial, clause: str, columns: int) -> Rows:
    """The inputs that show how the vocabulary is summed, in one batch."""
    return joined(flat(trial.fmt, columns), dominated(trial.fmt, columns, trial.rng(clause)), name="flat, then dom")


@chapter.clause(
    1,
    Level.MUST,
    "it answers",
    statement="Called with logits (B, T, V) in the judged format, labels and a mask, the implementation shall return one "
    "log-probability a sequence, or one a token as it claims, as floating-point numbers of at least that format's "
    "precision, and "
    "finite ones for finite logits.",
    derivation="What has another shape, an integer type or a narrower type is no log-probability of these tokens.",
    remedy="Return the log-probabilities as an array of the framework. returns=, shift= and ignore_index= say how it is "
    "called; "
    "where it does not take a format, leave that out of dtypes=.",
    kills=("returns-loss-scalar", "returns-narrow"),
)
def answers(trial: Trial) -> Outcome:
    """One ordinary call."""
    scale = Scale(trial)
    rows = drawn(trial.rng("LOGP-1"), trial.fmt, 3, 7, 12)
    values = scale.answer(rows).values
    scale.wrong(rows, bool(np.isfinite(values[rows.aligned[2]] if values.ndim > 1 else values).all()), f"it returned {values}")
    if not scale.violations:
        return scale.outcome()
    raise Misbehaviour("not finite", scale.told)


@chapter.clause(
    2,
    Level.MUST,
    "value",
    statement="A token's log-probability shall be the label's logit minus the logarithm of the sum of the exponentials of all "
    "logits, within what any order of that sum allows in the arithmetic that the implementation claims.",
    derivation=f"{BOUND}, C = V − 1 (docs/bounds.md, “From logits”). It holds for the max-shifted form and for gather minus "
    "log-sum-exp, in any order, online or in tiles.",
    guards=("https://github.com/google-deepmind/optax/issues/1020",),
    remedy="Compute in float32 at least: logits.float() first, then log_softmax and gather, or gather minus logsumexp; and say "
    "accumulates= where the sum is wider than the result.",
    kills=("softmax-log", "log2-units"),
)
def value(trial: Trial) -> Outcome:
    """Small batches over vocabularies of 2 to 4,096."""
    scale = Scale(trial)
    for rows in ordinary(trial, "LOGP-2"):
        scale.values(rows)
    return scale.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "inputs that show the sum",
    statement="The same where all roundings of the sum have one sign: a target among equal logits, and one that dominates.",
    derivation=f"{BOUND}, C = V − 1.",
    remedy="Add up the exponentials in float32 at least; a 16-bit sum of equal terms saturates at 2^(p) of them.",
    guards=("https://github.com/pytorch/executorch/issues/20089",),
    kills=("sum-overflows", "rescale-clipped"),
)
def stressed(trial: Trial) -> Outcome:
    """flat and dom, first and last, over 512, 4,096 and, in wider profiles, 32,768 columns."""
    scale = Scale(trial)
    for columns in (512, 4096, *([32_768] if trial.profile.name != "quick" else [])):
        late = dominated(trial.fmt, columns, trial.rng("LOGP-3"), place=-1)
        scale.values(joined(stress(trial, "LOGP-3", columns), late, name="flat, dom first, dom last"))
    return scale.outcome()


@chapter.clause(
    4,
    Level.SHOULD,
    "the sum in blocks",
    statement="The vocabulary should be summed in blocks, pairwise or in a wider format: the constant of the sum should be at "
    "most 2 log2 V + 16.",
    derivation=f"{BOUND}, C = 2 log₂ V + 16. The note tells the C that the worst of these inputs shows when every other "
    f"term is "
    "given its whole bound: about log₂ V for torch.logsumexp, V/80 for torch's log_softmax on CPUs.",
    remedy="Sum in float32 or float64 where the logits are narrower; use the library's logsumexp, which sums in blocks.",
    kills=("running-sum",),
)
def blocked(trial: Trial) -> Outcome:
    """flat and dom; reports the measured C."""
    scale = Scale(trial)
    rows = stress(trial, "LOGP-4", 4096)
    answer = scale.values(rows, bounds.should)
    if scale.claims.returns == "token" or not scale.claims.average:
        scale.show(rows, answer)
    return scale.outcome(f"measured C at V = 4,096: {scale.constant:.3g}")


@chapter.clause(
    5,
    Level.MUST,
    "a large vocabulary",
    statement="A row of 151,936 logits shall be as good as a short one.",
    derivation=f"{BOUND}, C = V − 1. Labels in the first, the last and a middle column.",
    remedy="Index with 64-bit integers, let no tile of the vocabulary be left out, and add up in float32: a binary16 sum "
    "overflows at 65,520 equal terms.",
    kills=("int16-labels", "online-large-tile"),
)
def large(trial: Trial) -> Outcome:
    """Rows of 151,936 columns, of which a later one is ever larger; and of equal ones."""
    scale = Scale(trial)
    rng = trial.rng("LOGP-5")
    logits = rising(trial.fmt, rng)
    for label in (LARGE - 1,) if trial.profile.name == "quick" else (0, LARGE // 2, LARGE - 1):
        scale.values(full(logits, [label], "the largest logits far on"))
    scale.values(full(np.zeros((1, LARGE)), [LARGE // 3], "all logits equal, as of a fresh model"))
    return scale.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "a level in all logits",
    statement="A level in all logits, of 10,000, of −10,000 or further, shall change nothing beyond the bound, and neither "
    "overflow nor NaN follow.",
    derivation="Log-probabilities do not depend on a level. Whoever stores the log-sum-exp, or divides by a temperature, "
    "loses u|lse|, which the bound has.",
    remedy="Subtract the row's largest logit before the exponential, and nothing else.",
    kills=("no-max-shift", "clamps-logits", "shift-by-first", "online-from-1e4"),
)
def level_of_logits(trial: Trial) -> Outcome:
    """Levels of 1e4 and -1e4, and of -1e6 or half of what the format has."""
    scale = Scale(trial)
    rng = trial.rng("LOGP-6")
    for level in (1e4, -1e4, -min(1e6, trial.fmt.largest / 2)):
        scale.values(drawn(rng, trial.fmt, 2, 4, 33, level=level, spread=20.0, name=f"level {level:g}"))
    return scale.outcome()


@chapter.clause(
    7,
    Level.SHOULD,
    "digits near 0",
    statement="The log-probability of a token that leads by many nats should keep its digits.",
    derivation="It is well conditioned there: relative error u (E_q|z − z_t| + 6 + 2 log₂ V + 16), q the softmax of the "
    "others. "
    "That log_softmax returns 0 from a lead of 17 nats on is the algorithm's doing and not the format's.",
    remedy="Keep the target apart: −log1p of the sum of e^(z_j − z_t) over the others, or −softplus(logsumexp(others) − z_t).",
    kills=("log-softmax-rounded",),
)
def digits_near_zero(trial: Trial) -> Outcome:
    """Leads of 3 to 30 nats, relative to the log-probability itself."""
    scale = Scale(trial)
    rows = near_zero(trial.fmt, 50, trial.rng("LOGP-7"))
    answer = scale.answer(rows)
    known = truth(rows)
    allowed = known.tokens.near_zero(scale.arithmetic(answer)) + bounds.stored(known.tokens.exact, get_format(answer.dtype))
    values = answer.values[known.places] if scale.claims.returns == "token" else answer.values
    exact = known.tokens.exact
    scale.points += len(exact)
    with np.errstate(invalid="ignore", over="ignore"):
        rho = np.abs(values - exact) / allowed
    scale.violations += int(np.count_nonzero(~(rho <= 1)))
    worst = int(np.argmax(np.where(np.isnan(rho), np.inf, rho)))
    scale.told = f"log-probability got {values[worst]!r}, exact {exact[worst]!r} ({rows.described()})"
    scale.worst = float(rho[worst])
    return scale.outcome()


@chapter.clause(
    8,
    Level.MUST,
    "one column, one token",
    statement="Of a vocabulary of one token the log-probability shall be 0; a single token and a single sequence shall "
    "be as good as many.",
    derivation="log e^0 = 0, exactly, in every form.",
    remedy="Squeeze no axis: a batch of one, a sequence of one and a vocabulary of one keep their axes.",
    kills=("squeezes",),
)
def smallest(trial: Trial) -> Outcome:
    """V = 1, and B = T = 1."""
    scale = Scale(trial)
    rng = trial.rng("LOGP-8")
    scale.values(drawn(rng, trial.fmt, 2, 4, 1, name="one column"))
    scale.values(drawn(rng, trial.fmt, 1, 2, 8, name="one token"))
    return scale.outcome()


@chapter.clause(
    9,
    Level.SHOULD,
    "an empty batch",
    statement="No sequences should give no log-probabilities.",
    derivation="The last shard of an uneven split may be empty.",
    kills=("fails-on-empty",),
)
def empty(trial: Trial) -> Outcome:
    """B = 0."""
    rows = drawn(trial.rng("LOGP-9"), trial.fmt, 1, 4, 5, name="empty").take([])
    try:
        Scale(trial).answer(rows)
    except Misbehaviour as error:
        return Outcome(1, 1, note=f"{error.kind}: {error}")
    return Outcome(1, 0)


@chapter.clause(
    10,
    Level.MUST,
    "temperature",
    statement="The logits shall be divided by the temperature.",
    derivation=f"{BOUND}, of z/T, and 2u (|z_t| + E_p|z|)/T more for the division or for a product with a rounded 1/T.",
    needs=("temperature",),
    remedy="Divide the logits by the temperature before the log-softmax, out of place.",
    kills=("temperature-ignored", "temperature-multiplies", "temperature-on-target", "temperature-at-least-half"),
)
def temperature(trial: Trial) -> Outcome:
    """Temperatures of 0.2 to 12, of three rows and of one."""
    scale = Scale(trial)
    rows = drawn(trial.rng("LOGP-10"), trial.fmt, 3, 6, 64)
    for degree in (0.2, 0.5, 0.7, 3.0, 12.0, 1.0):
        scale.values(at(rows, temperature=degree))
    scale.values(at(rows.take([0]), temperature=0.5))
    return scale.outcome()


@chapter.clause(
    11,
    Level.MUST,
    "chunk size",
    statement="The size of the chunks, of whatever is cut into them, shall change neither value nor derivative beyond the "
    "bound.",
    derivation=f"{BOUND}, whatever the partition; an online sum rescales with two roundings more for a chunk, which C = "
    f"V − 1 covers.",
    needs=("chunk",),
    remedy="Rescale the running sum by e^(old maximum − new maximum) at every chunk, and take the last, shorter one.",
    kills=("chunk-no-rescale", "chunk-drops-rest", "chunk-drops-tokens", "chunk-drops-rows", "chunk-last-slope"),
)
def chunk(trial: Trial) -> Outcome:
    """Chunks that do not divide rows, tokens or columns, of 1 and of more than there is."""
    scale = Scale(trial)
    rows = drawn(trial.rng("LOGP-11"), trial.fmt, 3, 7, 50)
    for size in (1, 2, 4, 7, 49, 1024):
        scale.values(at(rows, chunk=size, name=f"chunks of {size}"))
    for size in (2, 4) if scale.claims.gradient else ():
        scale.gradient(at(rows, chunk=size, name=f"chunks of {size}"))
    return scale.outcome()
