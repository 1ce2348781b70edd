"""Why a step, a path or a sequence's log-probability violates: the first sentence tells it, with a cure that fits."""

from __future__ import annotations

import contextlib
import io

import pytest
import torch
import torch.nn.functional as F

import conformance
from conformance.clauses import find
from conformance.errors import BadRequest
from conformance.implementations import torch_steps
from conformance.reports import causes, markdown
from conformance.running.runner import judge

from .campaign import MUTANTS

BY_NAME = {entry.name: entry for entry in MUTANTS}
TOLD = {
    "step-mean-of-means": ("STEP-2", "what it returns is, at all 99 numbers asked in binary32, the mean of the parts' means"),
    "step-total-sum": ("STEP-2", "the sum over all pairs, not the mean"),
    "step-nan-empty": ("STEP-4", "its losses are, where a part is empty, no number"),
    "step-gradient-undivided": ("STEP-3", "its derivatives are, at all 90 numbers asked in binary32, the sum over all pairs"),
    "step-beta-ignored": ("STEP-6", "the loss at beta 0.1, whatever beta is asked"),
    "step-rewards-smoothed": (
        "STEP-5",
        "its rewards/margins is, at all 10 numbers asked in binary32, times 1 - 2 label",
    ),
    "step-ties-count": ("STEP-7", "its rewards/accuracies is, at all 10 numbers asked in binary32, the share with ties"),
    "step-no-loss": ("STEP-1", "wrong type in binary32: a mapping with loss"),
    "path-exchanged": ("PATH-2", "those of chosen and rejected exchanged"),
    "path-reference-once": ("PATH-2", "those with the reference of the chosen alone"),
    "path-two-dtypes": ("PATH-3", 'it violates PATH-3, "policy and reference the same", in binary32'),
    "path-detached": ("PATH-6", "its derivatives are, in the rejected responses, 0, always"),
    "path-gradient-sign": ("PATH-6", "the right ones with the opposite sign"),
    "path-sum-for-mean": ("PATH-2", "the sum over the pairs, where the mean is claimed"),
    "path-first-eight": ("PATH-2", "its losses are, from place 9 of a batch on, 0"),
    "path-in-place": ("PATH-7", "it violates PATH-7 in binary32: it changed labels in place"),
    "returns-narrow": ("LOGP-1", "wrong dtype"),
    "log2-units": ("LOGP-2", "its log-probabilities are, at all 22 numbers asked in binary32, in bits"),
    "temperature-on-target": ("LOGP-10", "those of the label's logit alone divided by the temperature"),
    "mask-by-label-zero": ("ADDED-1", "those without the tokens whose label is 0"),
    "mask-not-shifted": ("ADDED-2", "the mask is one place off from the labels"),
    "gradient-unscaled": ("SLOPE-1", "its derivatives are, at all 540 numbers asked in binary32, twice the right ones"),
    "gradient-first-row": ("SLOPE-1", "it violates SLOPE-1"),
}
"""By mutant, the clause that it is judged by and what the first sentence has to say."""


@pytest.mark.parametrize("name", TOLD)
def test_the_first_sentence_tells_the_cause(name: str) -> None:
    clause, says = TOLD[name]
    record = judge(BY_NAME[name].build(), dtypes=["float32"], clauses=[find(clause)])
    (told,) = causes.told(record)
    assert says in told.headline
    assert told.cure


def test_a_steps_smallest_input_shows_it_again() -> None:
    wrong = BY_NAME["step-mean-of-means"].build()
    (told,) = causes.told(judge(wrong, dtypes=["float32"], clauses=[find("STEP-2")]))
    lines, code = told.example
    assert told.title.endswith("in binary32:")
    assert "in parts of 0, 1 pairs" in lines
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec("\n".join(code), {"implementation": wrong})
    got, exact = (float(line.split()[1]) for line in out.getvalue().splitlines())
    assert abs(got - exact) > 0.01


@pytest.mark.parametrize(
    ("name", "clause", "shown"),
    [
        ("mask-not-shifted", "ADDED-2", "logits                4, -5  0.75, -1.25"),
        ("path-exchanged", "PATH-2", "loss of place 0"),
        ("gradient-unscaled", "SLOPE-1", "d log-probability / d logits[0, 0, 0]"),
    ],
)
def test_the_smallest_logits_show_it_again(name: str, clause: str, shown: str) -> None:
    wrong = BY_NAME[name].build()
    (told,) = causes.told(judge(wrong, dtypes=["float32"], clauses=[find(clause)]))
    lines, code = told.example
    assert any(shown in line for line in lines)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec("\n".join(code), {"implementation": wrong})
    got, exact = (float(line.split()[1]) for line in out.getvalue().splitlines())
    assert abs(got - exact) > 0.3 * abs(exact)
    assert abs(exact - float(lines[-1].rpartition("exact ")[2])) < 1e-9


def test_logits_that_do_not_agree_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"logits of shape \(2, 2\)"):
        conformance.evaluate_sequence("numpy", "float32", [[0, 1], [1, 0]], [[0, 1]])
    for ask in (conformance.evaluate_sequence, conformance.evaluate_path):
        logits = [[[0.0, 1.0], [1.0, 0.0]]]
        with pytest.raises(BadRequest, match="no"):
            ask("numpy", "float32", *([logits] if ask is conformance.evaluate_sequence else [logits, logits]), [[0, 1]])


def test_what_is_done_and_no_number_is_told_in_the_first_sentence() -> None:
    record = judge(BY_NAME["path-in-place"].build(), dtypes=["float32"], clauses=[find("PATH-7")])
    (told,) = causes.told(record)
    assert "it violates PATH-7 in binary32: it changed labels in place" in told.headline
    assert "to see it again" not in markdown.render(record)


def test_a_step_is_asked_by_hand() -> None:
    @torch_steps(options=("beta",))
    def step(parts, beta, label_smoothing):  # type: ignore[no-untyped-def]
        z = torch.cat([beta * ((pc - rc) - (pr - rr)) for pc, pr, rc, rr in parts])
        return {"loss": -F.logsigmoid(z).mean()}

    answer = conformance.evaluate_step(step, "float32", [-1, -2], [-1, -3], [-1, -2], [-1, -2], parts=[0, 2], beta=1.0)
    assert answer.loss == pytest.approx((0.6931472 + 0.3132617) / 2)
    with pytest.raises(BadRequest, match="add up to 2 pairs"):
        conformance.evaluate_step(step, "float32", [-1, -2], -1, -1, -1, parts=[1], beta=1.0)
    with pytest.raises(BadRequest, match="is no step"):
        conformance.evaluate_step("numpy", "float32", -1, -1, -1, -1, parts=[1])
