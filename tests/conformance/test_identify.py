"""`identify`: which loss, which variant, and that a function is none of them; `losses`, `explain` and `list --losses`."""

import re

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.diagnosis.identification import identify
from conformance.implementations import numpy_implementation
from conformance.implementations.written import computed
from conformance.reports.losses import FUNCTIONS, page, text
from oracle import binary32
from oracle.losses import LOSSES
from oracle.losses._evaluate import slope
from tests.conformance.test_preference import split, written


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["ipo_average", "aot_unpaired"])
def test_a_loss_is_known_by_its_numbers(name):
    loss = LOSSES[name]
    best = identify(written(loss, loss.definition), binary32)[0]
    assert (best.candidate.loss.name, best.complete) == (name, True)


@pytest.mark.no_cover
def test_a_wrong_variant_is_named_and_a_scaled_loss_is_told_from_both():
    loss = LOSSES["kto"]
    wrong = next(wrong for wrong in loss.wrong if wrong.name == "row-clamp")
    best = identify(written(loss, wrong.definition), binary32)[0]
    assert (best.candidate.loss.name, best.complete) == ("kto/row-clamp", True)
    half = numpy_implementation(lambda **given: computed(LOSSES["nca_pair"].definition, *split(LOSSES["nca_pair"], given)) / 4,
                                loss="nca_pair")  # fmt: skip
    found = identify(half, binary32)
    assert not found[0].complete
    (scaled,) = [match.scale for match in found if match.scale is not None and match.candidate.loss.name == "nca_pair"]
    assert (scaled.factor, scaled.unit) == (pytest.approx(0.25), "")


MINE = """
import numpy as np
from conformance.implementations import numpy_implementation

def z(pc, pr, rc, rr): return (pc - rc) - (pr - rr)

@numpy_implementation(options=("beta",), dtypes=["binary32"])
def ipo(pc, pr, rc, rr, beta, eps): return (z(pc, pr, rc, rr) - pc.dtype.type(1 / (2 * beta))) ** 2

@numpy_implementation(options=("beta",), dtypes=["binary32"])
def odd(pc, pr, rc, rr, beta, eps): return np.sin(z(pc, pr, rc, rr))
"""


def test_the_commands(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    run = CliRunner().invoke
    said = run(main, ["identify", f"{file}:ipo"])
    assert said.exit_code == 0, said.output
    assert "computes ipo_sum" in " ".join(said.output.split())
    assert "and not ipo_average" in " ".join(said.output.split())
    said = run(main, ["identify", f"{file}:odd"])
    assert said.exit_code == 1
    assert "none of these" in " ".join(said.output.split())
    said = run(main, ["losses"])
    assert "23.4584158971" in said.output
    said = run(main, ["losses", "--variants"])
    assert "ipo_average/sum" in said.output
    pair = ["-10.25", "-12.5", "-11.5", "-12", "--loss"]
    said = run(main, ["oracle", *pair, "ipo_average", "--lengths", "7", "9"])
    assert "22.713545603426555808" in said.output
    assert "[0, 1/2)" in run(main, ["oracle", *pair, "robust", "--parameter", "label_smoothing=0.5"]).output
    said = run(main, ["explain", "dpop"])
    assert "2402.13228" in said.output
    assert run(main, ["explain", "nonesuch"]).exit_code == 2
    assert "sppo_hard" in run(main, ["list", "--losses"]).output
    assert run(main, ["run", f"{file}:ipo", "--loss", "nonesuch"]).exit_code == 2


def test_every_page_can_be_written_and_its_slopes_are_its_own():
    for loss in LOSSES.values():
        told = page(loss)
        assert all(wrong.name in told for wrong in loss.wrong)
        headings = (
            "Definition",
            "Derivatives",
            "Limits",
            "Facts",
            "Bounds",
            "Who calls it what",
            "What goes wrong",
            "How to cite",
        )
        assert [line[3:] for line in told.splitlines() if line.startswith("## ")] == list(headings)
        assert slope(loss, loss.logps[0]) is not None


ODD = """
import numpy as np
from conformance.implementations import numpy_implementation

@numpy_implementation(loss="hinge")
def positional(pc, pr, rc, rr, beta):
    return np.maximum(1 - beta * ((pc - rc) - (pr - rr)), 0)

@numpy_implementation
def two(pc, pr):
    return pc - pr

@numpy_implementation(loss=("hinge", "sigmoid"))
def nan(policy_chosen_logps, **_):
    return policy_chosen_logps * np.nan

@numpy_implementation(loss="hinge")
def text(**_):
    return "0.5"
"""


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ([":positional"], 2, "for hinge it is called by keyword, with policy_chosen_logps, policy_rejected_logps,"),
        (
            [":two"],
            2,
            "it is called with policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta",
        ),
        ([":nan"], 2, "nan has the losses hinge, sigmoid: say which by --loss"),
        ([":nan", "--loss", "hing"], 2, "loss = 'hing'"),
        ([":nan", "--loss", "hinge"], 1, "computes none of these"),
        ([":text"], 2, ":text: wrong"),
    ],
)
def test_a_function_of_an_odd_kind_is_told_how_it_is_called(tmp_path, asked, status, said):
    file = tmp_path / "odd.py"
    file.write_text(ODD)
    result = CliRunner().invoke(main, ["identify", f"{file}{asked[0]}", *asked[1:]])
    assert result.exit_code == status, result.output
    assert said in " ".join(result.output.split())
    assert "(0 of" not in result.output


def test_every_function_in_a_formula_is_told():
    said = {
        name
        for loss in LOSSES.values()
        for node in (loss.definition, *(slope(loss, logp) for logp in loss.logps))
        for name in re.findall(r"(\w+)\(", text(node))
    }
    assert said - {"log", "exp"} <= set(FUNCTIONS)
    assert "odds(x)" in page(LOSSES["orpo"])
    assert "bump(x)" not in page(LOSSES["orpo"])
