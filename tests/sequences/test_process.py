"""Log-probabilities of a program in any language: the example, what a hello may claim, and what may go wrong."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.cli import main
from conformance.errors import CannotLoad, Misbehaviour
from conformance.implementations.loading import loaded
from conformance.implementations.process import ProgramSequence, messages
from conformance.inputs.profiles import get_profile
from conformance.inputs.sequences import drawn
from conformance.records.record import Verdict
from conformance.running.trying import check
from oracle import binary32, binary64

EXAMPLE = f"node {Path(__file__).parents[2] / 'docs' / 'examples' / 'token_logps.mjs'}"
HELLO = {
    "type": "hello", "protocol": 1, "kind": "sequence", "name": "mine", "version": "1", "dtypes": ["binary32", "binary64"],
    "options": ["temperature", "chunk"], "gradient": True, "returns": "token", "shift": True, "ignore_index": -100,
    "accumulates": "binary64", "infinities": False,
}  # fmt: skip
PROGRAM = """
import json, sys
hello, answer = {hello!r}, {answer!r}
for line in sys.stdin:
    request = json.loads(line)
    if request["type"] == "bye":
        break
    sys.stderr.write(line)
    print(json.dumps(hello if request["type"] == "hello" else {{"type": "answer", "id": request["id"], **answer}}), flush=True)
"""
ROWS = drawn(np.random.default_rng(0), binary64, 2, 4, 3)


@pytest.fixture
def program(tmp_path: Path) -> Any:
    """A program that says that hello and gives that answer to every request."""

    def command(answer: dict[str, Any], **changed: Any) -> str:
        path = tmp_path / "program.py"
        path.write_text(PROGRAM.format(hello=HELLO | changed, answer=answer), encoding="utf-8")
        return f"process:{sys.executable} {path}"

    return command


@pytest.fixture
def example() -> Iterator[Any]:
    """The page's program, in its right form."""
    with loaded(f"process:{EXAMPLE}") as implementation:
        yield implementation


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
@pytest.mark.parametrize(("clause", "naive"), [("LOGP-3", False), ("SLOPE-1", False), ("MASKED-1", False), ("LOGP-6", True)])
def test_the_example_is_right_and_its_naive_form_wrong(clause: str, naive: bool) -> None:
    with loaded(f"process:{EXAMPLE}{' --naive' * naive}") as implementation:
        seen = check(find(clause), Trial(implementation, binary64, get_profile("quick"), 0))
    assert seen.verdict is (Verdict.VIOLATES if naive else Verdict.CONFORMS), seen.note


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_a_smoke_test_shows_a_token_beside_what_is_exact() -> None:
    done = CliRunner().invoke(main, ["run", "--smoke", f"process:{EXAMPLE}"])
    assert done.exit_code == 0
    assert "log-probability                   -0.24131129665715703      exact -0.2413112967" in done.output
    assert "d logp / d logits[2]              0.21440296541072412       exact 0.2144029654" in done.output


def test_a_hello_claims_and_a_request_holds_what_it_claims(program: Any) -> None:
    numbers, slopes = messages.to_hex(np.arange(6.0), binary64), messages.to_hex(np.arange(24.0), binary64)
    with loaded(program({"logps": numbers, "gradient": slopes})) as implementation:
        assert isinstance(implementation, ProgramSequence)
        claims = implementation.claims
        assert (claims.returns, claims.shift, claims.ignore_index, claims.infinities) == ("token", True, -100, False)
        assert claims.arithmetic(binary32, "float32") is binary64
        answer = implementation.evaluate(ROWS, binary64, gradient=True)
        asked = json.loads(implementation.complaints.splitlines()[1])
    assert np.array_equal(answer.values, np.arange(6.0).reshape(2, 3))
    assert answer.gradient is not None
    assert np.array_equal(answer.gradient, np.arange(24.0).reshape(2, 4, 3))
    jsonschema.Draft202012Validator(messages.schema()).validate(asked)
    assert (asked["sequences"], asked["places"], asked["columns"], asked["temperature"]) == (2, 4, 3, 1.0)
    assert asked["labels"].startswith("ffffffffffffff9c")  # -100
    assert "mask" not in asked


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"logps": "00" * 8 * 5, "gradient": "00" * 8 * 24}, "wrong shape"),
        ({"logps": "00" * 8 * 6, "gradient": "00" * 8 * 23}, "wrong shape"),
        ({"logps": "00" * 8 * 6}, "no gradient"),
        ({"logps": "00" * 4 * 6, "dtype": "binary32"}, "wrong dtype"),
        ({"losses": "00" * 8 * 6}, "garbled"),
        ({"logps": "000", "gradient": ""}, "wrong width"),
    ],
)
def test_a_wrong_answer_is_told_by_its_kind(program: Any, answer: dict[str, Any], kind: str) -> None:
    with loaded(program(answer)) as implementation, pytest.raises(Misbehaviour) as told:
        implementation.evaluate(ROWS, binary64, gradient=True)
    assert told.value.kind == kind
    assert "(request 1: drawn: 2 x 4 tokens, 3 columns)" in str(told.value)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"average": True}, "of what returns a number a token, nothing is averaged"),
        ({"ignore_index": 0}, "ignore_index"),
        ({"options": ["beta"]}, "options"),
        ({"reduction": "none"}, "at reduction: this key is not for what it claims"),
        ({"kind": "loss"}, "not valid"),
    ],
)
def test_a_hello_that_contradicts_itself_is_refused(program: Any, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(CannotLoad, match=told), loaded(program({}, **changed)):
        pass


def test_a_program_of_log_probabilities_has_no_loss(program: Any) -> None:
    with pytest.raises(CannotLoad, match="computes log-probabilities, and no loss hinge"), loaded(program({}) + "@hinge"):
        pass
