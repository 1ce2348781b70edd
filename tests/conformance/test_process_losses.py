"""Programs that name their losses: what they are asked, which of them is judged, and what is refused."""

import json
import shlex
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from pages import fences

from conformance import evaluate_loss, judge
from conformance.cli import main
from conformance.errors import CannotLoad, Misbehaviour
from conformance.implementations.loading import loaded
from conformance.implementations.process import messages
from conformance.implementations.process.losses import request
from conformance.inputs.losses import common
from oracle import FORMATS, binary64
from oracle.losses import LOSSES

PROGRAM = Path(__file__).parents[1] / "programs" / "losses.py"
WHOLE = jsonschema.Draft202012Validator(messages.schema())


def source(mode="right", hello="{}", loss=""):
    command = shlex.join([sys.executable, str(PROGRAM), mode, hello])
    return f"process:{command}" + (f"@{loss}" if loss else "")


@pytest.mark.parametrize("loss", ["hinge", "nll_token_mean"])
def test_each_loss_of_a_program_conforms(loss):
    (*others, run) = judge(source(loss=loss), isolate=False).runs
    assert run.implementation == f"right@{loss}"
    assert run.verdict.name == "CONFORMS", [(finding.clause, finding.note) for finding in run.violated]
    assert {other.verdict.name for other in others} == {"NOT_CLAIMED"}


def test_a_wrong_one_is_rejected_and_the_command_says_so():
    command = ["run", source("one-wrong", '{"losses": ["hinge"]}'), "--dtype", "float64", "-c", "PREF-1", "--in-process"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "PREF-1" in result.output


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_asked_for_by_the_schema(name):
    batch = common().at(**LOSSES[name].telling).of(LOSSES[name])
    for fmt in FORMATS:
        (line,) = request(3, LOSSES[name], batch, fmt, gradient=True).splitlines()
        assert not list(WHOLE.iter_errors(json.loads(line)))
        assert set(LOSSES[name].inputs) <= json.loads(line).keys()


def test_the_page_shows_what_is_asked_and_answered():
    hello, asked, answer = [
        line for fence in fences("docs/process.md") if "ipo_average" in fence.content for line in fence.content.splitlines()
    ][:3]
    batch = common().at(**LOSSES["ipo_average"].telling).of(LOSSES["ipo_average"]).take([0])
    assert request(1, LOSSES["ipo_average"], batch, binary64, gradient=True).decode() == asked + "\n"
    assert messages.read_hello(hello.encode()).losses == ("hinge", "ipo_average")
    names = LOSSES["ipo_average"].logps
    losses, parts, _ = messages.read_numbers(answer.encode(), 1, 1, binary64, (1,), names)
    assert losses.tolist() == [2.0521699420508943]
    assert list(parts) == list(names)


@pytest.mark.parametrize(
    ("mode", "hello", "loss", "said"),
    [
        ("right", "{}", "", "it claims hinge, nll_token_mean: say which by --loss"),
        ("right", "{}", "simpo", "it claims hinge, nll_token_mean, not simpo"),
        ("right", '{"losses": ["hinges"]}', "", "hinges"),
        ("right", '{"options": ["gamma"]}', "hinge", "parameters of none of hinge, nll_token_mean"),
        ("right", '{"losses": []}', "", "losses"),
    ],
)
def test_what_cannot_be_claimed_is_refused_by_name(mode, hello, loss, said):
    with pytest.raises(CannotLoad, match=said), loaded(source(mode, hello, loss)):
        pass


def test_three_derivatives_where_four_were_promised_and_an_end():
    pair = dict.fromkeys(LOSSES["hinge"].inputs, -1.0)
    with pytest.raises(Misbehaviour, match="3 arrays where 4 were promised") as shown:
        evaluate_loss(source("three", loss="hinge"), "binary64", **pair)
    assert shown.value.kind == "wrong shape"
    with pytest.raises(Misbehaviour, match=r"status 3 \(request 1: 1 pairs, hinge, beta 0.1\)") as shown:
        evaluate_loss(source("ends", loss="hinge"), "binary64", **pair)
    assert shown.value.kind == "ended"


def test_an_option_that_a_loss_does_not_have_is_another_losss():
    with loaded(source(loss="nll_token_mean")) as program:
        assert program.claims.options == frozenset()
        assert program.environment == {"version": "1"}
        assert program.surroundings() == {}
        assert program.unavailable() is None


def test_a_smoke_test_of_a_loss_shows_the_conversation_and_what_is_exact():
    result = CliRunner().invoke(main, ["run", "--smoke", source(loss="hinge"), source(loss="nll_token_mean")])
    assert result.exit_code == 0, result.output
    assert result.output.count("exact") == 7
    assert '"loss":"nll_token_mean"' in result.output
