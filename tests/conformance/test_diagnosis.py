"""Every known wrong variant is told by name, from the numbers alone, with the smallest input that shows it."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conformance.clauses import find
from conformance.implementations import numpy_implementation, torch_implementation
from conformance.records.diagnosis import Kind
from conformance.records.record import Verdict
from conformance.reports import causes, github, markdown
from conformance.running.runner import judge
from tests.mutants.causes import STATED, TOLD, TRUE, formulas, stated, verdict
from tests.mutants.registry import MUTANTS

SUBSET = ("halved", "robust-for-conservative", "reference-swapped", "beta-at-most-one", "rejected-of-next-pair", "ipo")


def smoothed(z, eps):
    return -F.logsigmoid(z) if eps == 0 else (eps - 1) * F.logsigmoid(z) - eps * F.logsigmoid(-z)


def plain(change=smoothed, **claims):
    """A loss of the logit, as an implementation."""

    def loss(pc, pr, rc, rr, beta, eps):
        return change(beta * ((pc - rc) - (pr - rr)), eps)

    return torch_implementation(loss, name="mine", **claims)


def diagnosis(implementation, *clauses, formats=("float32",)):
    record = judge(implementation, dtypes=formats, clauses=[find(name) for name in clauses])
    return record, causes.told(record)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", SUBSET)
def test_the_stated_cause_is_the_true_one(name):
    assert verdict(name, *stated(name, ("binary32",))) == "by name"


def test_every_formula_has_a_true_cause():
    assert len(formulas()) >= 79
    assert {verdict(name, "", "") for name in formulas()} == {"falsely"}
    assert {mutant.name for mutant in MUTANTS} >= {*TRUE, *TOLD}
    assert {verdict(name, "", "") for name in TOLD} <= {"falsely"}


def test_the_measured_shares():
    """Measured by `python -m tests.mutants.causes`."""
    measured = json.loads(STATED.read_text(encoding="utf-8"))
    assert measured.keys() == {mutant.name for mutant in MUTANTS}
    told = {name: verdict(name, *measured[name]) for name in measured}
    assert sum(told[name] != "falsely" for name in formulas()) >= 0.98 * len(formulas())
    assert sum(each == "falsely" for each in told.values()) <= 0.03 * len(told)
    assert "not judged" not in told.values()


def test_a_conforming_implementation_is_not_diagnosed():
    record, told = diagnosis(plain(), "DEF-1", "LOSS-1")
    assert record.conforms
    assert told == []
    assert "diagnosis" not in record.to_json()


def test_formats_are_merged_and_the_snippet_shows_it():
    record, (told,) = diagnosis(plain(lambda z, eps: smoothed(z, 0.0)), "SMOOTH-1", formats=("bfloat16", "float32"))
    assert told.cause.key == "label_smoothing ignored"
    assert told.headline.endswith("in bfloat16 and binary32, the loss at label_smoothing 0, whatever is asked.")
    _, code = told.example
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec("\n".join(code), {"implementation": plain(lambda z, eps: smoothed(z, 0.0))})
    got, exact = (line.split()[1].strip("[]") for line in out.getvalue().splitlines())
    assert abs(float(got) - float(exact)) > 0.01
    assert record.runs[0].diagnosis is not None


def test_two_pairs_show_a_mean_that_is_a_sum():
    record, (told,) = diagnosis(plain(lambda z, eps: smoothed(z, eps).sum(), reduction="mean"), "REDUCE-1")
    assert (told.cause.key, told.cause.kind) == ("the sum", Kind.BATCH)
    assert record.runs[0].diagnosis.shown.call.pairs == 2


def test_no_gradient_is_told_as_that_and_never_as_nan():
    record, (told,) = diagnosis(plain(lambda z, eps: smoothed(z, eps).detach()), "GRAD-1")
    assert "it returns no gradient at all" in told.headline
    assert "nan" not in "\n".join(causes.lines(told))
    assert "got     none: it returned no gradient" in "\n".join(markdown.render(record).splitlines())


def test_where_the_length_matters_it_is_said_and_the_pair_is_repeated():
    def tail(z, eps):
        losses = smoothed(z, eps)
        return torch.cat([losses[:8], 2 * losses[8:]])

    _, (told,) = diagnosis(plain(tail), "BATCH-1")
    assert "twice the loss" in told.headline
    assert "from pair 9 of a batch on" in told.headline
    assert "matters" in told.title


def test_an_unstable_log_sigmoid_is_named_and_the_kernel_is_to_blame():
    def loss(pc, pr, rc, rr, beta, eps):
        with np.errstate(all="ignore"):
            return -np.log(1 / (1 + np.exp(-pc.dtype.type(beta) * ((pc - rc) - (pr - rr)))))

    _, (told,) = diagnosis(numpy_implementation(loss, name="mine", options=("beta",)), "KERNEL-1", "LOSS-1")
    assert (told.cause.key, told.cause.kind) == ("log of sigmoid", Kind.KERNEL)
    assert "stable log-sigmoid" in told.cure


def test_a_mean_that_is_returned_for_losses_is_told_with_the_keyword_that_claims_it():
    _, (told,) = diagnosis(plain(lambda z, eps: smoothed(z, eps).mean()), "CALL-1")
    assert 'reduction="mean"' in told.cure


def test_annotations_are_few_and_begin_with_the_cause():
    record, _ = diagnosis(plain(lambda z, eps: smoothed(z, eps) / 2), "DEF-1", "LOSS-1", formats=("bfloat16", "float32"))
    lines = github.render(record).splitlines()
    assert "half of the loss" in lines[0]
    assert len(lines) < 10
    assert all(run.verdict is Verdict.VIOLATES for run in record.runs)


def _to_four_decimals(z, eps):
    return torch.round(smoothed(z, eps).double(), decimals=4).to(z.dtype)


@pytest.mark.parametrize(
    ("wrong", "clauses", "says"),
    [
        (lambda z, eps: smoothed(z, eps) + 1e-8, ("LOSS-1",), "the loss plus 1e-08"),
        (lambda z, eps: -torch.log(torch.sigmoid(z).clamp(1e-5, 1 - 1e-5)), ("KERNEL-1",), "clamped to [1e-5, 1 - 1e-5]"),
        (_to_four_decimals, ("LOSS-2",), "rounded to four decimals"),
        (lambda z, eps: smoothed(z, eps).detach(), ("KERNEL-6", "KERNEL-7", "CALL-8"), "it returns no gradient at all"),
    ],
    ids=["a constant", "a clamp on both sides", "decimals", "no gradient, and never overwritten"],
)
def test_what_is_nearly_right_has_a_name(wrong, clauses, says):
    options = ("beta",) if "KERNEL-1" in clauses else ("beta", "label_smoothing")
    formats = ("bfloat16",) if "LOSS-1" in clauses else ("float32",)
    _, (told, *_) = diagnosis(plain(wrong, options=options), *clauses, formats=formats)
    assert says in told.headline
    assert not told.cause.where
