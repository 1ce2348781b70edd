"""Second derivatives: every mode against the oracle, what the clauses say of torch's own, and the snippet that shows it."""

import builtins
from dataclasses import replace

import numpy as np
import pytest
import torch.nn.functional as F

import oracle
from conformance.clauses.registry import select
from conformance.errors import BadClaim, BadRequest
from conformance.implementations import jax_implementation, load, torch_implementation
from conformance.implementations.protocol import Curved
from conformance.implementations.reference.torch import MEAN
from conformance.inputs.pairs import golden
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.reports.words import snippet
from conformance.running.evaluation import evaluate
from conformance.running.runner import run
from oracle import bfloat16, binary32, binary64

SIGNS = np.array([1, -1, -1, 1])
MODES = [
    (name, how)
    for name in ("reference-torch", "reference-jax")
    if isinstance(implementation := load(name), Curved)
    for how in sorted(implementation.twice_by)
]


def own(pc, pr, rc, rr, beta, label_smoothing):
    return -F.logsigmoid(beta * ((pc - rc) - (pr - rr)))


def judged(implementation, fmt, *clauses):
    return run(implementation, fmt, get_profile("quick"), seed=0, clauses=select(clauses or ["SECOND"]))


@pytest.mark.parametrize(("name", "how"), MODES)
def test_every_mode_is_right_in_every_two(name, how):
    batch, weights = golden().at(beta=0.5, label_smoothing=0.1), np.array([4.0, 1.0, -2.0])
    exact = np.array([float(x) for x in oracle.second_derivative(*batch.logps, beta=0.5)]) * 0.25
    for place in range(4):
        parts = load(name).twice(how, place, batch, binary64, weights).gradient
        assert np.array(parts) == pytest.approx(np.outer(SIGNS[place] * SIGNS, exact * weights), rel=1e-14, abs=0)


@pytest.mark.parametrize("implementation", [load("reference-torch"), MEAN], ids=["each", "mean"])
def test_the_reference_conforms(implementation):
    findings = judged(implementation, binary32).findings
    assert [finding.verdict for finding in findings] == [Verdict.CONFORMS] * 5
    assert all(finding.points > 90 for finding in findings)


def test_torchs_own_keeps_no_digit_on_one_side_and_the_snippet_shows_it(monkeypatch):
    mine = torch_implementation(own, options=("beta",), second_derivatives=True)
    found = judged(mine, binary32)
    assert [finding.clause for finding in found.violated] == ["SECOND-1", "SECOND-2", "SECOND-3", "SECOND-4"]
    worst = found.findings[0].worst
    assert float.fromhex(worst.got) == 0
    assert worst.ulp > 2.0**23
    for finding in found.violated:
        printed, code = {}, "\n".join(snippet(replace(found, source=None), finding.worst))
        with monkeypatch.context() as patch:
            patch.setattr(builtins, "print", lambda label, *objects, seen=printed: seen.update({label.strip(): objects}))
            exec(compile(code, "snippet", "exec"), {"implementation": mine})
        assert printed["exact"][0].digits(20) == finding.worst.exact
        assert np.isin(float.fromhex(finding.worst.got), printed["got"][0])


def test_a_detached_reference_is_counted_and_not_judged():
    found = judged(
        torch_implementation(
            lambda pc, pr, rc, rr, beta, eps: load("reference-torch")(pc, pr, rc.detach(), rr.detach(), beta, eps),
            second_derivatives=True,
        ),
        bfloat16,
        "SECOND-2",
        "SECOND-3",
    )
    assert found.verdict is Verdict.CONFORMS
    assert all(finding.counts["reference detached"] for finding in found.findings)


def test_without_the_claim_it_is_not_judged():
    found = judged(load("torch"), bfloat16)
    assert {finding.verdict for finding in found.findings} == {Verdict.NOT_CLAIMED}
    assert "second_derivatives" not in load("torch").claims.plain()
    assert load("reference-torch").claims.plain()["second_derivatives"] is True


def test_what_is_refused():
    for make in (torch_implementation, jax_implementation):
        with pytest.raises(BadClaim, match="second_derivatives = True: of derivatives"):
            make(own, second_derivatives=True, gradient=False)
        with pytest.raises(BadClaim, match="judged of DPO alone, not of loss = 'ipo'"):
            make(own, second_derivatives=True, loss="ipo")
    pair = ([-1.0], [-2.0], [-1.0], [-1.0])
    with pytest.raises(BadRequest, match="its wrapper differentiates once"):
        evaluate("numpy", "binary32", *pair, twice=("reverse mode twice", "policy_chosen_logps"))
    with pytest.raises(BadRequest, match="one of forward mode over reverse mode"):
        evaluate("reference-torch", "binary32", *pair, twice=("twice", "policy_chosen_logps"))
