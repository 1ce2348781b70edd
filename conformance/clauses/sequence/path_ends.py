"""PATH, at its ends and from outside: far, forbidden, large, empty, NaN, incoming derivatives, heads, and lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.clauses.model import Outcome
from conformance.clauses.sequence.pairs import Pairs
from conformance.clauses.sequence.path import BOUND, chapter
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs.paths import distant_pairs, full_pairs
from conformance.inputs.sequences import LARGE
from conformance.records.record import Level
from oracle.formats import Floats


@chapter.clause(
    8,
    Level.MUST,
    "far from the reference",
    statement="The loss and its derivatives shall keep their bounds at logits z of any size and either sign, as after long "
    "training or of long responses.",
    derivation=f"{BOUND} A loss of e^−z is a number, and one of z is finite.",
    remedy="softplus(−z) or −logsigmoid(z): not −log(sigmoid(z)), not log(1 + exp(−z)), no clamp and no epsilon.",
    kills=("path-log-sigmoid", "path-epsilon", "path-exp-overflows", "path-clamps-ratio"),
)
def far(trial: Trial) -> Outcome:
    """|z| of 3 to 800 with β = 0.1, of both signs."""
    pairs = Pairs(trial)
    distant = distant_pairs(trial.fmt)
    paths = pairs.fitted(distant if pairs.claims.referenced else distant.exchanged()).at(**pairs.options(0.1, 0.0))
    pairs.losses(paths)
    if pairs.claims.gradient:
        pairs.gradient(paths)
    return pairs.outcome()


@chapter.clause(
    9,
    Level.MUST,
    "forbidden columns",
    statement="Columns of −∞ in policy and reference, the first, a whole first tile, or the last, shall count as nothing, and "
    "have the derivative 0.",
    derivation="As of FORBIDDEN-1, FORBIDDEN-2 and MASKED-5: e^−∞ = 0, and 0 · −∞ is NaN where masked labels "
    "are replaced by 0.",
    needs=("infinities",),
    remedy="Select and do not multiply; start an online maximum with a finite number.",
    kills=("path-zero-column", "path-first-tile", "path-gradient-at-forbidden"),
)
def forbidden(trial: Trial) -> Outcome:
    """Column 0, the last 5, and the first 1,024 (8,192 and 32,768 in wider profiles)."""
    pairs = Pairs(trial)
    rng = trial.rng("PATH-9")
    tiles = (1024,) if trial.profile.name == "quick" else (1024, 8192, 32_768)
    for columns, banned in ((12, slice(0, 1)), (12, slice(7, 12)), *((n + 9, slice(0, n)) for n in tiles)):
        paths = pairs.drawn(rng, 2, 5, columns).at(**pairs.options(0.1, 0.0))
        free = np.setdiff1d(np.arange(columns), np.arange(columns)[banned])
        held = []
        for rows in (paths.policy, paths.reference):
            logits = rows.logits.copy()
            logits[..., banned] = -np.inf
            labels = np.where(rows.mask, free[rows.labels % len(free)], 0)
            held.append(replace(rows, logits=logits, labels=labels, name=f"{columns - len(free):,} columns forbidden"))
        narrowed = replace(paths, policy=held[0], reference=held[1])
        pairs.losses(narrowed)
        if pairs.claims.gradient and columns == 12:
            pairs.gradient(narrowed)
    return pairs.outcome()


@chapter.clause(
    10,
    Level.MUST,
    "large vocabularies and levels",
    statement="A vocabulary of 151,936 tokens, of which all may be as likely, and a level of 10,000 or −10,000 in all logits "
    "shall change nothing beyond the bound, of loss or derivatives.",
    derivation="As of LOGP-5, LOGP-6 and SLOPE-8.",
    remedy="Subtract the row's largest logit; index in 64 bits; let no tile of the vocabulary be left out.",
    kills=("path-int16-labels", "path-no-max-shift", "path-drops-tile", "path-gradient-of-first-columns"),
)
def large(trial: Trial) -> Outcome:
    """One pair of a token each over 151,936 columns, drawn and all equal; levels of 1e4 and -1e4."""
    pairs = Pairs(trial)
    rng = trial.rng("PATH-10")
    drawn_logits = trial.fmt.round_array(rng.normal(0, 4, (2, LARGE)))
    drawn_logits[:, [0, -1]] = [[20.0, 16.0], [15.0, 20.0]]  # the first and the last column weigh
    for policy, reference in ((drawn_logits, drawn_logits[::-1]), (np.zeros((2, LARGE)), drawn_logits)):
        paths = pairs.fitted(full_pairs(policy, reference, [100_000, LARGE - 1])).at(**pairs.options(0.1, 0.0))
        pairs.losses(paths)
        if pairs.claims.gradient and policy is drawn_logits:
            pairs.gradient(paths)
    for level in (1e4, -1e4):
        scores = trial.fmt.round_array(rng.normal(level, 20.0, (2, 2, 33)))
        paths = pairs.fitted(full_pairs(scores[0], scores[1], [3, 32], f"level {level:g}"))
        pairs.losses(paths.at(**pairs.options(0.1, 0.0)))
    return pairs.outcome()


@chapter.clause(
    11,
    Level.MUST,
    "no token",
    statement="A pair with a response of which no token counts shall have the loss of a log-probability of 0 there, or be "
    "refused; where means are claimed its own is undefined. It shall change no other pair's loss or derivatives.",
    derivation="As of ADDED-6.",
    guards=("https://github.com/huggingface/trl/issues/6548",),
    remedy="Divide by max(count, 1), select before the sum; or refuse the batch, and say so.",
    kills=("path-empty-poisons",),
)
def nothing(trial: Trial) -> Outcome:
    """The second of three pairs has an empty chosen response."""
    pairs = Pairs(trial)
    if "lengths" in pairs.claims.claimed and (pairs.claims.reduction == "mean" or pairs.claims.known.has_batch_state):
        return Outcome(0, 0, note="a mean over an undefined loss is undefined", not_claimed=True)
    paths = pairs.drawn(trial.rng("PATH-11"), 3, 7, 15).at(**pairs.options(0.5, 0.0))
    mask = paths.policy.mask.copy()
    mask[1] = False
    policy, reference = (replace(rows, mask=mask, name="a response of no token") for rows in (paths.policy, paths.reference))
    hollow = replace(paths, policy=policy, reference=reference)
    try:
        pairs.losses(hollow)
    except Misbehaviour as error:
        if error.kind != "raised":  # it may refuse such a pair, and say so
            raise
        return Outcome(1, 0)
    if pairs.claims.gradient and "lengths" not in pairs.claims.claimed:
        pairs.gradient(hollow)
    return pairs.outcome()


@chapter.clause(
    12,
    Level.MUST,
    "NaN where it counts",
    statement="A NaN in the policy's or the reference's logits of a token that counts shall make that pair's loss NaN, and the "
    "mean; or be refused. It shall change no other pair's loss.",
    derivation="As of FORBIDDEN-5.",
    guards=("https://github.com/huggingface/trl/issues/1236",),
    remedy="Let NaN through: no nan_to_num, no nanmean.",
    kills=("path-nan-to-num", "path-nanmean"),
)
def nan(trial: Trial) -> Outcome:
    """One NaN in the policy's logits of the first pair, then in the reference's."""
    pairs = Pairs(trial)
    for broken in (0, 1) if pairs.claims.referenced else (0,):
        paths = pairs.drawn(trial.rng("PATH-12"), 3, 7, 15).at(**pairs.options(0.5, 0.0))
        sides = [paths.policy, paths.reference]
        first = 0 if "policy_chosen_logps" in pairs.claims.known.inputs else len(paths)
        logits = sides[broken].logits.copy()
        logits[first, int(np.flatnonzero(sides[broken].mask[first])[0]) - 1, 4] = np.nan
        sides[broken] = replace(sides[broken], logits=logits, name="NaN in a logit that counts")
        poisoned = replace(paths, policy=sides[0], reference=sides[1])
        try:
            losses = pairs.implementation.evaluate(poisoned, trial.fmt).losses
        except Misbehaviour as error:
            if error.kind != "raised":  # it may refuse NaN
                raise
            continue
        batch = pairs.claims.known.has_batch_state
        mine, others = (losses.mean() if batch else losses.reshape(-1)[0]), losses.reshape(-1)[1:]
        pairs.wrong(poisoned, bool(np.isnan(mine)), f"got {float(mine)!r} for NaN")
        if not batch:
            pairs.wrong(poisoned, bool(np.isfinite(others).all()), f"the other pairs got {others.tolist()}")
    return pairs.outcome()


@chapter.clause(
    13,
    Level.MUST,
    "incoming derivatives",
    statement="The derivatives shall be multiplied by the incoming ones: each pair's by its own, those of a mean by the one.",
    derivation="The chain rule. The factors are powers of two and 0, so that the bounds of PATH-6 are multiplied by them.",
    needs=("gradient", "incoming"),
    guards=("https://github.com/linkedin/Liger-Kernel/issues/968",),
    remedy="A handwritten backward, or one that computes derivatives in the forward, multiplies by grad_output, row by row.",
    kills=("path-ignores-incoming", "path-mean-ignores-incoming"),
)
def incoming(trial: Trial) -> Outcome:
    """A factor a pair; a loss scale of 1,024 and a share of 1/8 of a mean."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-13"), 4, 6, 9).at(**pairs.options(0.5, 0.0))
    each = np.full(4, -2.0) if pairs.claims.known.has_batch_state else np.array([0.5, -2.0, 0.0, 1.0])
    weights: list[Floats] = [each] if pairs.claims.reduction == "none" else [np.array(1024.0), np.array(0.125)]
    for factors in weights:
        pairs.gradient(paths, factors)
    return pairs.outcome()


@chapter.clause(
    14,
    Level.MUST,
    "derivatives of a fused head",
    statement="A fused loss's derivatives in the policy's hidden states shall be those in the logits times the weights, and "
    "those in the bias their sum over the places.",
    derivation="As of SLOPE-7.",
    needs=("gradient", "head"),
    remedy="d hidden = d logits · weight and d bias = Σ d logits, each multiplied by the incoming derivative once.",
    kills=("path-head-hidden", "path-head-bias"),
)
def inner(trial: Trial) -> Outcome:
    """Hidden states and bias, on logits that are multiples of 1/8."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-14"), 2, 5, 30).at(**pairs.options(0.5, 0.0))
    coarse = [replace(rows, logits=np.round(rows.logits * 8) / 8) for rows in (paths.policy, paths.reference)]
    paths = replace(paths, policy=coarse[0], reference=coarse[1])
    pairs.losses(paths)
    pairs.gradient(paths, inner=True)
    return pairs.outcome()


@chapter.clause(
    15,
    Level.MUST,
    "how many tokens",
    statement="What is divided by the number of a response's tokens shall be divided by the number of those that count and are "
    "predicted: not the first place of a sequence, which nothing predicts, no padding, nothing that is masked within.",
    derivation=f"As of ADDED-1. {BOUND}",
    needs=("lengths",),
    guards=("https://github.com/huggingface/trl/issues/6879",),
    remedy="Shift the mask with the labels, and count it then: mask[:, 1:].sum(-1).",
    kills=("path-ipo-counts-first", "path-simpo-padded-lengths", "path-orpo-lengths-exchanged"),
)
def lengths(trial: Trial) -> Outcome:
    """Masks that keep the first place, of a sequence without a prompt; with padding before and after."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-15"), 4, 8, 12).at(**pairs.options(0.1, 0.0))
    mask = paths.policy.mask.copy()
    mask[:, 0] = True
    for left, right in ((0, 0), (0, 3), (2, 1)):
        sides = [
            replace(rows, mask=mask, name="the first place is kept by the mask") for rows in (paths.policy, paths.reference)
        ]
        if left or right:
            sides = [rows.padded(left, right) for rows in sides]
        pairs.losses(replace(paths, policy=sides[0], reference=sides[1]))
    return pairs.outcome()


@chapter.clause(
    16,
    Level.MUST,
    "a certain response",
    statement="Where every token of a chosen response is so likely that its log-probability rounds to 0, loss and derivatives "
    "shall be numbers.",
    derivation="As of PREF-14, where the limit itself is asked for: ORPO's log-odds are infinite at 0, its loss and its "
    "derivatives of a chosen response are not. The leads are of 60 nats, of which log_softmax leaves 0 in every format.",
    guards=("https://github.com/huggingface/trl/issues/2564",),
    remedy="Bound the average log-probability away from 0, by the smallest normal number, before log(1 − e^x): log1p(−1) is −∞ "
    "and its derivative 1/0.",
    kills=("path-orpo-certain-is-nan",),
)
def certain(trial: Trial) -> Outcome:
    """The first pair's chosen response, certain under policy and reference."""
    pairs = Pairs(trial)
    paths = pairs.drawn(trial.rng("PATH-16"), 3, 7, 9).at(**pairs.options(0.1, 0.0))
    held = []
    for rows in (paths.policy, paths.reference):
        logits = rows.logits.copy()
        logits[0] = 0.0
        logits[0, np.arange(rows.shape[1] - 1), rows.labels[0, 1:]] = 60.0
        held.append(replace(rows, logits=logits, name="a chosen response that is certain"))
    sure = replace(paths, policy=held[0], reference=held[1])
    answer = pairs.implementation.evaluate(sure, trial.fmt, gradient=pairs.claims.gradient)
    pairs.wrong(sure, bool(np.isfinite(answer.losses).all()), f"the losses are {answer.losses.tolist()}")
    if answer.gradient is not None:
        bad = np.argwhere(~np.isfinite(answer.gradient))
        at = f"{bad[0].tolist()} got {float(answer.gradient[tuple(bad[0])])!r}" if len(bad) else ""
        pairs.wrong(sure, not len(bad), f"d loss / d logits {at}, where a number is exact")
    return pairs.outcome()
