"""Why an implementation of a named loss violates: the variant, the option, the convention, told at the top."""

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from conformance import judge
from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import preferences
from conformance.diagnosis.rewritten import known, others, slipped, variants
from conformance.diagnosis.trials import asked
from conformance.implementations import numpy_implementation, torch_implementation
from conformance.inputs.profiles import get_profile
from conformance.records.diagnosis import Kind
from conformance.records.record import read
from conformance.reports import causes as reported
from conformance.running.job import Job
from conformance.running.state import State
from conformance.running.trying import check, explained
from oracle import binary32
from oracle.losses import LOSSES
from tests.conformance.test_preference import written


def found(implementation, fmt=binary32):
    return preferences.causes(Trial(implementation, fmt, get_profile("quick"), 0))


@pytest.mark.parametrize("name", ["simpo", "bco_batch"])
def test_a_known_mistake_is_named(name):
    loss = LOSSES[name]
    for wrong in loss.wrong:
        (cause,), _, shown = found(written(loss, wrong.definition))
        assert cause.key == wrong.name
        assert wrong.sentence in cause.says
        assert shown.got != shown.exact


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_variant_of_every_loss_can_be_made(name):
    loss = LOSSES[name]
    made = [*known(loss), *variants(loss, whole=False), *others(loss), *slipped(loss)]
    assert len(made) > 10
    assert all(one.loss.definition is not loss.definition for one in made[: len(loss.wrong)])


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ([1.0001, 0.9999], "r_dpo, but for up to 0.0001 of it"),
        ([0.75, 1.25], "from 0.75 to 1.25 times r_dpo"),
        ([0.25, 5.0], "numbers of no formula that is known"),
    ],
)
def test_what_is_nearly_right_is_told_by_how_much_it_is_off(times, says):
    answers = asked(Trial(written(LOSSES["r_dpo"], LOSSES["r_dpo"].definition), binary32, get_profile("quick"), 0))
    exact = np.array([2.0, 3.0])
    assert preferences._told(answers, np.array(times) * exact, exact) == says


def test_a_right_one_has_no_cause():
    assert found(written(LOSSES["r_dpo"], LOSSES["r_dpo"].definition)) == ([], [], None)


def simpo(policy_chosen_logps, policy_rejected_logps, chosen_lengths, rejected_lengths, beta, gamma):
    return -logsigmoid(beta * (policy_chosen_logps / chosen_lengths - policy_rejected_logps / rejected_lengths) - gamma)


def _naive(**given):
    z = given["beta"] * (given["policy_chosen_logps"] / given["chosen_lengths"])
    z -= given["beta"] * (given["policy_rejected_logps"] / given["rejected_lengths"])
    return -torch.log(torch.sigmoid(z - given["gamma"]))


def _classes(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta):
    chosen, rejected = policy_chosen_logps - ref_chosen_logps, policy_rejected_logps - ref_rejected_logps
    return torch.log(1 + torch.exp(-beta * chosen)) + torch.log(1 + torch.exp(beta * rejected))


@pytest.mark.parametrize(
    ("name", "function", "says"),
    [("simpo", _naive, "-log(sigmoid(z))"), ("bce_pair", _classes, "log(sigmoid")],
)
def test_an_unstable_kernel_of_a_named_loss_is_told_as_that(name, function, says):
    causes, _, _ = found(torch_implementation(function, loss=name))
    assert says in causes[0].says and causes[0].kind is Kind.KERNEL, causes


def _shifted(**given):
    return simpo(**{**given, "chosen_lengths": given["chosen_lengths"] + 1, "rejected_lengths": given["rejected_lengths"] + 1})


def _next(**given):
    names = ("policy_rejected_logps", "rejected_lengths")
    return simpo(**given | {name: torch.roll(given[name], -1) for name in names})


def _sharp(**given):
    losses = simpo(**given)
    return torch.where(losses > 2, losses / 3, losses)


def _once(calls=[0], **given):  # noqa: B006 - the state is the fault
    calls[0] += 1
    return simpo(**given) + (calls[0] > 3)


FAULTS = {
    "half": (lambda **x: simpo(**x) / 2, "half of the loss", ""),
    "beta": (lambda **x: simpo(**x | {"beta": 2.0}), "beta the default, 2", ""),
    "negative": (lambda **x: -simpo(**x), "opposite sign", ""),
    "token": (_shifted, "counts a token that is not scored", ""),
    "next": (_next, "rejected response of the next pair", ""),
    "mean": (lambda **x: simpo(**x).mean().expand(len(x["chosen_lengths"])), "mean over the batch, at every pair", ""),
    "half precision": (lambda **x: simpo(**x).half().float(), "as binary16 has it", ""),
    "a third": (_sharp, "0.3333 times simpo", "where the exact loss is above"),
    "plus": (lambda **x: simpo(**x) + 0.5, "0.5 added to it", ""),
    "nan": (lambda **x: torch.where(x["chosen_lengths"] > 8, torch.nan, 1) * simpo(**x), "NaN", "some of the numbers"),
    "hinge": (lambda **x: torch.relu(1 + x["gamma"] - simpo(**x)), "no formula", ""),
    "state": (_once, "asked again", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_any_loss_is_told(fault):
    function, says, where = FAULTS[fault]
    causes, _, _ = found(torch_implementation(function, loss="simpo"))
    assert says in causes[0].says
    assert where in causes[0].where if where else not causes[0].where


def test_means_and_derivatives():
    (cause,), _, shown = found(torch_implementation(lambda **x: simpo(**x).sum(), loss="simpo", reduction="mean"))
    assert cause.key == "the sum"
    assert shown.call.pairs == 2
    (cause,), _, shown = found(
        torch_implementation(lambda **x: simpo(**x).sum() / len(x["chosen_lengths"]) ** 2, loss="simpo", reduction="mean")
    )
    assert cause.key == "over n twice"
    name = "policy_rejected_logps"
    cut = torch_implementation(lambda **x: simpo(**x | {name: x[name].detach() + 0 * x[name]}), loss="simpo")
    (cause,), _, shown = found(cut)
    assert "no derivative through pr" in cause.says
    assert shown.quantity == "d loss / d policy_rejected_logps"


def _coming_back(change, *names):
    """SimPO whose derivatives in these arguments are changed on their way back, and whose values are right."""

    def loss(**given):
        moved = {name: given[name].clone() for name in names}
        for value in moved.values():
            if value.requires_grad:
                value.register_hook(change)
        return simpo(**given | moved)

    return loss


CHOSEN, REJECTED = "policy_chosen_logps", "policy_rejected_logps"
BENT = {
    "opposite": (_coming_back(lambda g: -g, CHOSEN, REJECTED), "opposite", ""),
    "three": (_coming_back(lambda g: 3 * g, REJECTED), "3 times the right ones", f"in {REJECTED}"),
    "nothing": (_coming_back(lambda g: 0 * g, CHOSEN), "no derivative through pc", ""),
    "nan": (_coming_back(lambda g: g * torch.nan, CHOSEN), "NaN", f"in {CHOSEN}"),
    "bent": (_coming_back(lambda g: g.sign() * g.abs().sqrt(), REJECTED), "other numbers", f"in {REJECTED}"),
}


@pytest.mark.parametrize("fault", BENT)
def test_a_fault_of_the_derivatives_alone_is_told_by_argument(fault):
    function, says, where = BENT[fault]
    causes, _, shown = found(torch_implementation(function, loss="simpo"))
    assert causes[0].kind == "gradient"
    assert says in causes[0].says
    assert where in causes[0].where
    assert shown.quantity.startswith("d loss / d ")


def test_it_is_reported_with_code_that_shows_it(tmp_path):
    name = "policy_chosen_logps"
    mine = numpy_implementation(lambda **x: -x[name] / 2, loss="nll_sum", gradient=lambda **x: (x[name] * 0 - 1,), name="mine")
    record = judge(mine, dtypes=["binary32"], clauses=[find("PREF-1"), find("PREF-3")])
    record.write(tmp_path / "record.json")
    (told,) = reported.told(read(tmp_path / "record.json"))
    lines = "\n".join(reported.lines(told))
    assert "its losses are, at all 60 numbers asked in binary32, nll_sum with a known mistake: half of it" in lines
    assert "policy_chosen_logps   -10.25" in lines
    _, code = told.example
    shown = {}
    exec("\n".join(code), {"implementation": mine, "print": lambda label, value: shown.update({label.strip(): value})})
    assert shown["got"].losses[0] == 5.125
    assert float(np.ravel(shown["exact"])[0]) == 10.25


def test_a_defect_of_the_diagnosis_is_told_and_costs_nothing_else(monkeypatch, capfd):
    """In the process in which it happens, and where that is another one, in this one."""
    monkeypatch.setattr("conformance.diagnosis.preferences.causes", lambda trial: 1 / 0)
    trial = Trial(torch_implementation(lambda **x: simpo(**x) / 2, loss="simpo"), binary32, get_profile("quick"), 0)
    finding = check(find("PREF-3"), trial)
    heard = []
    assert explained(trial, [finding], heard.append) is None
    assert "ZeroDivisionError" in heard[0]
    job = Job("mine.py:loss", (binary32,), get_profile("quick"), 0, (find("PREF-3"),))
    State(job).take({"defect": heard[0]}, None)
    assert "ZeroDivisionError" in capfd.readouterr().err
