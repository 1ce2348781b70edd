"""PREF: any loss that has a name, judged by its own definition: value, derivatives, parameters, limits, batch, mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from conformance.clauses.admitted import STATED, may_be_refused
from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.preference_tally import Judge
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.implementations.preference import KIND
from conformance.implementations.protocol import DEFAULTS
from conformance.inputs.losses import (
    LossBatch,
    beside,
    certain,
    common,
    joined,
    mirrored,
    shrunk,
    skewed,
    spread,
    steep,
    stretched,
)
from conformance.records.record import Level
from oracle.losses import LENGTHS

chapter = Chapter("PREF", KIND)
SIZES = (7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257)
"""About those at which code that goes by blocks has a rest, or none."""
_INTERVAL = (
    "The interval follows from the loss's own expression by a running error analysis of every admitted spelling of it "
    '([bounds](../bounds.md), "Any expression"; the loss\'s page has the definition).'
)
_APART = (
    "The pairs have unequal lengths, are unsorted, have margins of both signs, and neither their mean reward nor their mean "
    "logit is 0, so that no batch statistic hides. "
)


@chapter.clause(
    1,
    Level.MUST,
    "it answers with its loss",
    statement="Called with what the loss takes, by keyword, the implementation shall return one floating-point loss a pair, of "
    "the inputs' precision or more (or one mean, as it claims), and that shall be the loss that it names.",
    derivation=_APART + _INTERVAL,
    remedy="Compare with the definition on the loss's page; `dpo-conformance identify` says which loss it computes instead.",
)
def answers(trial: Trial) -> Outcome:
    """The six pairs that tell every loss from every other, mirrored, shrunk and stretched, and six beside the reference, at
    parameters that show; of a loss of a whole batch also six of which one is far from the others, and two pairs of two.
    """
    judge = Judge(trial)
    batches = [common(), mirrored(common()), shrunk(common()), stretched(common()), stretched(mirrored(common())), beside()]
    batches += (
        [skewed(), mirrored(skewed()), skewed().take([1, 5]), skewed().take([2, 5])] if judge.loss.has_batch_state else []
    )
    for batch in batches:
        judge.values(judge.telling(batch))
    return judge.outcome()


@chapter.clause(
    2,
    Level.MUST,
    "value",
    statement="Each loss, or the mean where the loss belongs to a whole batch, shall lie in its acceptance interval.",
    derivation=_INTERVAL,
    remedy="Compute each part by a function that is accurate at both ends (softplus or logsigmoid, expm1, log1p), and take "
    "differences of log-probabilities before anything is multiplied.",
)
def value(trial: Trial) -> Outcome:
    """Drawn pairs from 0.001 to 5 nats a token, near the reference and far, and pairs of which one log-probability is 0, at the
    defaults and at parameters that show.
    """
    judge = Judge(trial)
    for batch in (*_drawn(judge, "PREF-2"), judge.telling(certain()), judge.plain(certain())):
        judge.values(batch)
    return judge.outcome()


@chapter.clause(
    3,
    Level.MUST,
    "derivatives",
    needs=("gradient",),
    statement="The derivatives in every log-probability that the loss takes shall lie in their acceptance intervals; where the "
    "reference is detached, in those of the policy.",
    derivation=_INTERVAL + " At a kink (hinge, DPO-positive) every slope between the two sides is accepted.",
    remedy="Derive the loss on paper and compare term by term with the gradient on its page: a detached or a live batch "
    "statistic, a length that is missing, a sign.",
)
def derivatives(trial: Trial) -> Outcome:
    """The derivatives at the pairs of the value's clause, at those that tell losses apart, and beside the reference."""
    judge = Judge(trial)
    for rows in (common(), mirrored(common()), shrunk(common()), beside(), *([skewed()] if judge.loss.has_batch_state else [])):
        judge.derivatives(judge.telling(rows))
    for batch in (judge.plain(shrunk(common())), judge.plain(beside()), judge.telling(certain()), *_drawn(judge, "PREF-3")):
        judge.derivatives(batch)
    return judge.outcome()


@chapter.clause(
    4,
    Level.MUST,
    "every parameter counts",
    statement="Each parameter that is claimed, changed alone, shall give the loss at its new value; so shall each length.",
    derivation="An option that is accepted and ignored is the field's most frequent bug. " + STATED + " So may another "
    "parameter of 0, which leaves its term out. " + _INTERVAL,
    remedy="Pass every parameter on to where the loss is computed, once, in the units of the loss's page.",
)
def parameters(trial: Trial) -> Outcome:
    """One parameter after the other at up to five values, at 0, and near the ends of what it may be, and the lengths exchanged
    and multiplied.
    """
    judge = Judge(trial)
    six = (common(), shrunk(common()), stretched(common()), stretched(mirrored(common())))
    changed = [batch_ for rows in six for batch_ in _changed(judge, judge.telling(rows))]
    changed += _at_ends(judge, judge.telling(common()))
    if not changed:
        return Outcome(0, 0, note="the loss has no parameters and takes no lengths", not_claimed=True)
    for batch in changed:
        try:
            judge.values(batch)
            if trial.implementation.claims.gradient:
                judge.derivatives(batch)
        except Misbehaviour as error:
            if error.kind != "raised" or not _may_be_refused(batch.parameters):
                raise
    return judge.outcome()


def _may_be_refused(parameters: Mapping[str, float]) -> bool:
    stated = {name: x for name, x in parameters.items() if name in DEFAULTS}
    return may_be_refused(**stated) or any(x == 0 for name, x in parameters.items() if name not in DEFAULTS)


def _at_ends(judge: Judge, base: LossBatch) -> Iterator[LossBatch]:
    """A parameter of a range at 1/4096 and at 63/64 of it and at what ends it has; one without an end at 1/256 and at 256 times
    its default.
    """
    for parameter in judge.loss.parameters:
        low, high = parameter.domain.low, parameter.domain.high
        ends = [parameter.default / 256, parameter.default * 256]
        if low is not None and high is not None:
            ends = [float(low + (high - low) * share) for share in (0, Fraction(1, 4096), Fraction(63, 64), 1)]
        if parameter.name in judge.trial.implementation.claims.options:
            yield from (base.at(**{parameter.name: x}) for x in ends if judge.admits(parameter, x))


def _changed(judge: Judge, base: LossBatch) -> Iterator[LossBatch]:
    for parameter in judge.loss.parameters:
        if parameter.name not in judge.trial.implementation.claims.options:
            continue
        candidates = (parameter.default, parameter.other, *(parameter.default * x for x in (2, 0.25, 16)), 0.0)
        for x in dict.fromkeys(x for x in candidates if x is not None):
            if judge.admits(parameter, x):
                yield base.at(**{parameter.name: x})
    lengths = [name for name in LENGTHS if name in base.rows]
    for name in lengths:
        yield LossBatch({**base.rows, name: base.rows[name] * 3 + 1}, base.parameters)
    if len(lengths) == len(LENGTHS):
        yield LossBatch(
            {**base.rows, **dict(zip(lengths, (base.rows[x] for x in reversed(lengths)), strict=True))}, base.parameters
        )


@chapter.clause(
    5,
    Level.MUST,
    "far from the reference",
    statement="Where log-ratios reach thousands of nats, the loss and its derivatives shall lie in their acceptance intervals "
    "wherever no admitted intermediate overflows.",
    derivation="The value there is the limit or near it: infinities and NaN come from an exponential of the wrong sign, or of "
    "a number that is not bounded. " + _INTERVAL,
    remedy="Write log(1 + e^x) as a softplus that is stable at both ends, and multiply no infinity by 0.",
)
def far(trial: Trial) -> Outcome:
    """Log-ratios of 12 to 4000 nats, of both signs."""
    judge = Judge(trial)
    for batch in (judge.telling(steep(trial.fmt)), judge.plain(steep(trial.fmt))):
        judge.values(batch)
        if trial.implementation.claims.gradient:
            judge.derivatives(batch)
    return judge.outcome()


@chapter.clause(
    6,
    Level.SHOULD,
    "limits",
    statement="At an infinite log-probability the loss should be its limit where there is one, and NaN where infinities "
    "meet that have none; where it is finite, each derivative that has a limit should be that.",
    derivation="A response that cannot be sampled has a log-probability of -inf. The limit is worked out from the definition "
    "(docs/termination.md, \"Limits\"): EXO's is finite at both ends, DiscoPOP's is 0 or -z. A derivative that is NaN spoils "
    "every weight, whatever the loss is.",
    remedy="Take the limit by hand where the formula multiplies 0 by an infinity.",
)
def limits(trial: Trial) -> Outcome:
    """One infinite log-probability after the other."""
    judge = Judge(trial)
    if judge.loss.has_batch_state:
        return Outcome(0, 0, note="a loss of a whole batch has no limit of one pair", not_claimed=True)
    base = judge.telling(common()).take([0, 3, 4])
    for name in judge.loss.logps:
        judge.limits(LossBatch({**base.rows, name: np.full(len(base), -np.inf)}, base.parameters))
    return judge.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "NaN is not hidden",
    statement="A pair with a NaN log-probability that the loss takes shall have the loss NaN (a mean too), and a loss without "
    "batch state shall leave the other pairs' losses alone.",
    derivation="A NaN that is dropped, by a nan-mean or a mask, hides a broken batch from everybody.",
    remedy="Do not filter, replace or skip NaN; reduce by a plain mean.",
)
def nan(trial: Trial) -> Outcome:
    """One NaN after the other."""
    judge = Judge(trial)
    base = judge.telling(common())
    for name in judge.loss.logps:
        rows = dict(base.rows)
        rows[name] = np.where(np.arange(len(base)) == 1, np.nan, rows[name])
        judge.not_a_number(LossBatch(rows, base.parameters), 1)
    return judge.outcome()


@chapter.clause(
    8,
    Level.MUST,
    "the batch",
    statement="A loss without batch state shall give each pair the same loss in any company and order; one with batch state "
    "shall not depend on the order of the pairs.",
    derivation="What belongs to a pair belongs to it alone, and a batch has no order. " + _INTERVAL,
    remedy="Take no statistic of the batch that the definition does not have, and pair what was sorted with what was sorted.",
)
def batch(trial: Trial) -> Outcome:
    """The batch reversed, in part, doubled, and one pair alone; 257 pairs, and the first of them up to and beside powers of
    two.
    """
    judge = Judge(trial)
    base = judge.telling(common())
    for places in ([5, 4, 3, 2, 1, 0], [2, 0, 3], [0, 1, 2, 3, 4, 5, 5, 1], [4]):
        judge.values(base.take(places))
    many = joined([common(), mirrored(common()), shrunk(common()), stretched(common()), beside()]).take(np.arange(257) % 30)
    judge.sizes(judge.telling(many), SIZES[::6] if judge.whole else SIZES)
    return judge.outcome()


@chapter.clause(
    9,
    Level.MUST,
    "called again",
    statement="A call shall leave no state behind: the losses shall lie in their acceptance intervals whatever was called "
    "before.",
    derivation="A running mean of rewards, or an option that a loss sets for good, makes two equal calls differ.",
    remedy="Keep nothing between calls.",
)
def again(trial: Trial) -> Outcome:
    """Different pairs and parameters, then the first again."""
    judge = Judge(trial)
    base = judge.telling(common())
    for batch_ in (base, judge.plain(common()), judge.telling(mirrored(common())), base.take([1, 2]), base):
        judge.values(batch_)
    return judge.outcome()


@chapter.clause(
    10,
    Level.MUST,
    "the inputs are left alone",
    statement="A call shall not change its inputs.",
    derivation="The log-probabilities are still needed: for metrics, for the backward pass, for the next loss.",
    remedy="Write no operation in place on an argument.",
)
def inputs_untouched(trial: Trial) -> Outcome:
    """The bytes of the inputs after a call."""
    judge = Judge(trial)
    wrote = judge.asked(judge.telling(common()), gradient=False).wrote
    return Outcome(1, int(bool(wrote)), note=f"it changed {', '.join(wrote)} in place" if wrote else "")


@chapter.clause(
    11,
    Level.SHOULD,
    "one pair, and none",
    statement="A batch of one pair should have that pair's loss, and a batch of none should give no losses.",
    derivation="The last shard of an uneven split may hold one pair or none.",
    needs=("none",),
)
def small(trial: Trial) -> Outcome:
    """Batches of sizes 1 and 0."""
    judge = Judge(trial)
    base = judge.telling(common())
    judge.values(base.take([3]))
    if not judge.loss.has_batch_state:
        try:
            judge.asked(base.take(slice(0, 0)), gradient=False)
        except Misbehaviour as error:
            return Outcome(2, 1, note=f"of no pairs: {error.kind}: {error}")
    return judge.outcome()


@chapter.clause(
    12,
    Level.SHOULD,
    "no overflow on the way",
    statement="Where the loss is finite and far below the largest number of the format, neither it nor a derivative should be "
    "infinite or NaN because an intermediate overflowed.",
    derivation="Every loss can be written so that it does not: DiscoPOP's e^-z times a vanishing weight is NaN below a logit "
    "of -88 in binary32 as most libraries write it, and its value there is near -z.",
    remedy="Take the exponential of the sum of exponents, or bound what is exponentiated where its weight vanishes.",
)
def overflow(trial: Trial) -> Outcome:
    """Log-ratios of 12 to 4000 nats, of both signs; only where an intermediate of the textbook's formula overflows."""
    judge = Judge(trial)
    for batch_ in (judge.telling(steep(trial.fmt)), judge.plain(steep(trial.fmt))):
        judge.finite(batch_)
    return judge.outcome()


@chapter.clause(
    13,
    Level.SHOULD,
    "as accurate as its page",
    statement="Each loss, or the mean where the loss belongs to a whole batch, should lie in the acceptance interval of the "
    "formula that its page gives, without the other ways of writing it.",
    derivation="Where released code writes a loss in several ways, all are admitted by PREF-2, though some lose what others "
    "keep: a difference of log-probabilities after they were added up, 1 - sigmoid(x) for sigmoid(-x), log1p(-e^x) for "
    "log(-expm1(x)), of which nothing is left at log-probabilities near 0. " + _INTERVAL,
    remedy="Write the loss as its page does.",
)
def as_written(trial: Trial) -> Outcome:
    """The pairs of the value's clause, and the six at 1/4096 of their log-probabilities: every response near certain."""
    judge = Judge(trial)
    certain = shrunk(shrunk(shrunk(shrunk(common()))))
    for batch in (judge.telling(certain), *_drawn(judge, "PREF-2")):
        judge.values(batch, as_written=True)
    return judge.outcome()


def _drawn(judge: Judge, clause: str) -> Iterator[LossBatch]:
    pairs = spread(judge.trial.rng(clause), max(8, judge.trial.sizes.pairs // 8), judge.trial.fmt)
    yield judge.telling(pairs)
    yield judge.plain(pairs)
