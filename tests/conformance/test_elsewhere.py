"""What is wrong at some calls alone is told by what is returned there, and where: ways, sizes, means, bands, special values."""

from __future__ import annotations

import pytest

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import elsewhere
from conformance.inputs.profiles import get_profile
from conformance.records.record import Finding, Level, Verdict
from conformance.running.trying import check
from oracle import get_format
from tests.mutants.registry import mutant

TOLD = {
    "upstream-clamped-to-one": ("AUTOGRAD-1", "clamped to [-1, 1]"),
    "backward-without-upstream": ("GRAD-6", "it is left out"),
    "upstream-of-first-in-a-block": ("AUTOGRAD-1", "in batches of 256 pairs or more"),
    "upstream-of-one-ignored": ("AUTOGRAD-2", "in batches of one pair"),
    "mean-backward-of-absolute-upstream": ("REDUCE-8", "where the mean is weighed, in batches of two pairs or more"),
    "second-backward-added": ("AUTOGRAD-4", "in a second backward pass", "added up"),
    "create-graph-of-nothing": ("AUTOGRAD-5", "(create_graph)", "0"),
    "no-grad-naive": ("AUTOGRAD-9", "under no_grad", "-log(sigmoid(z))"),
    "state-beta-of-last-forward": ("AUTOGRAD-3", "before the backward pass", "with the factor beta of another call"),
    "gradient-needs-the-other-response": ("AUTOGRAD-8", ""),
    "no-grad-in-float16": ("AUTOGRAD-9", ""),
    "gradient-needs-all-four": ("AUTOGRAD-8", "unless derivatives are asked for in all four"),
    "detached-unless-leaf": ("AUTOGRAD-7", "which are no leaves", "none: the loss is cut off"),
    "gradient-of-first-role": ("AUTOGRAD-11", "that of the first of its roles alone"),
    "layout-expanded-is-none": ("LAYOUT-1", "with a stride of 0", "without the reference"),
    "buffer-of-losses": ("CALL-8", "once other batches have been answered", "overwritten"),
    "memo-by-address": ("CALL-9", "held other numbers before"),
    "second-of-constant-upstream": ("SECOND-5", "a constant to autograd"),
    "second-without-beta": ("SECOND-2", "without one of the two factors beta"),
    "second-forward-doubled": ("SECOND-4", "forward mode", "twice the right ones"),
    "second-of-sigmoid": ("SECOND-1", "digits are lost"),
    "unsmoothed-at-128": ("BATCH-5", "in batches of exactly 128 pairs", "label_smoothing 0"),
    "tail-of-128": ("BATCH-1", "left over after full blocks of 128", "0"),

    "band-of-a-hundredth": ("KERNEL-1", "for z from 5 to 5.05", "2 times the right ones"),
    "naive-with-reference": ("KERNEL-7", "where the reference is not 0", "-log(sigmoid(z))"),
    "mean-over-padded": ("REDUCE-7", "the next multiple of 64"),
    "gradient-mean-doubled-at-20": ("REDUCE-10", "in batches of exactly 20 pairs", "twice the right ones"),
    "mean-beta-of-default": ("REDUCE-4", "beta 0.1", "in batches of two pairs or more"),
    "mean-smoothing-on-a-grid": ("REDUCE-4", "another label_smoothing", "0.05 for 0.03"),
    "mean-of-strided": ("REDUCE-4", "strided views"),
    "gradient-mean-of-strided": ("REDUCE-5", "strided views", "twice the right ones"),
    "mean-without-nan": ("REDUCE-3", "where a log-probability is NaN", "the mean of the other pairs alone"),
    "mean-added-in-its-format": ("REDUCE-10", "added up one by one", "though binary32 is declared"),
    "gradient-mean-over-2n": ("REDUCE-5", "2 n"),
    "infinity-to-largest": ("SPECIAL-1", "the largest number of the format"),
    "nan-logps-to-zero": ("SPECIAL-3", "a finite number"),
    "gradient-by-finite-difference": ("SPECIAL-5", "at a logit of -infinity", "NaN"),
    "gradient-clipped": ("BATCH-7", "another one is so"),
    "nan-margin-to-zero": ("SPECIAL-3", "a number"),
    "always-mixed": ("SPECIAL-2", "without label smoothing", "NaN"),
    "second-smoothed": ("SECOND-3", ""),
    "layout-gradient-of-columns": ("LAYOUT-2", ""),
    "slope-band-of-a-thousandth": ("KERNEL-2", "times the right ones"),
    "nan-loss-to-zero": ("SPECIAL-3", "where a log-probability is NaN", "0"),
    "infinity-to-a-number-in-a-block": ("SPECIAL-1", "at a logit of -infinity, in batches of 80 pairs or more", "1000"),
    "gradient-dropped-beside-nan": ("BATCH-7", "another one is so: where a log-probability is NaN"),
    "tie-loses": ("TIE-1", "the same numbers", "a margin of -1"),
    "tie-without-gradient": ("TIE-2", "the same numbers", "0"),
    "wins-half-of-ties": ("TIE-4", "ties count as won"),
}  # fmt: skip
"""By mutant, a clause that rejects it, and words of where it is wrong and of what it is there."""
METRICS = {
    "accuracy-above-half": ("METRIC-1", "whose logit is above 0.5"),
    "accuracy-over-padded": ("METRIC-1", "the next multiple of 8"),
    "margin-summed-from-32": ("METRIC-2", "the sum over all pairs", "where the number of pairs is above"),
    "rewards-with-absolute-beta": ("METRIC-3", "by |beta|"),
    "rewards-beta-at-most-3": ("METRIC-3", "by beta = 3", "where beta is above"),
    "metrics-without-nan": ("METRIC-4", "over the other pairs alone", "where a log-probability is NaN"),
    "metrics-of-strided": ("METRIC-5", "with strides and offsets of their own"),
}


def trial(name, clause, fmt="binary32"):
    """The mutant on trial, and the clause as violated."""
    known = mutant(name)
    chosen = fmt if fmt in {each.name for each in known.wrong_in} else known.wrong_in[-1].name
    found = Trial(known.build(), get_format(chosen), get_profile("quick"), 0)
    if clause.startswith("KERNEL-"):  # whose worst logit says where to look
        return found, [check(find(clause), found)]
    return found, [Finding(clause, Level.MUST, Verdict.VIOLATES)]


@pytest.mark.parametrize("name", TOLD)
def test_what_is_wrong_at_some_calls_alone_is_told(name):
    clause, *words = TOLD[name]
    found = elsewhere.cause(*trial(name, clause))
    assert found is not None
    told = f"{found.where}: {found.says}"
    assert all(word in told for word in words), told
    assert found.cure


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_that_is_wrong_at_some_calls_alone_is_told(name):
    clause, *words = METRICS[name]
    found = elsewhere.metrics(*trial(name, clause))
    told = "; ".join(f"{cause.where}: {cause.says}" for cause in found)
    assert all(word in told for word in words), told


def test_nothing_is_told_where_nothing_is_asked():
    judged, _ = trial("upstream-clamped-to-one", "AUTOGRAD-1")
    assert elsewhere.cause(judged, [Finding("DEF-1", Level.MUST, Verdict.VIOLATES)]) is None
