"""The messages of the process protocol: the suite sends what the schema says, and takes what the schema says."""

import json
import re
import struct
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import fences

from conformance.errors import Misbehaviour
from conformance.implementations import load
from conformance.implementations.process import messages
from conformance.implementations.protocol import Claims
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.pairs import golden
from oracle import FORMATS, bfloat16, binary16, binary32, binary64

DOCS = Path(__file__).parents[2] / "docs"
WHOLE = jsonschema.Draft202012Validator(messages.schema())
HELLO = {
    "type": "hello",
    "protocol": 1,
    "name": "mine",
    "version": "1.2",
    "dtypes": ["binary32"],
    "options": ["beta", "label_smoothing"],
    "reduction": "none",
    "gradient": True,
}
ANSWER = {
    "type": "answer",
    "id": 7,
    "losses": "3f8000003f000000bf800000",
    "gradient": ["00000000" * 3, "80000000" * 3, None, None],
}


def line(message):
    return json.dumps(message).encode()


def read(message, batch=None, fmt=binary32, gradient=True, **claimed):
    batch = golden() if batch is None else batch
    return messages.read_answer(line(message), 7, batch, fmt, Claims(**claimed), gradient=gradient)


def test_the_schema_is_a_schema_and_bears_the_protocols_version():
    jsonschema.Draft202012Validator.check_schema(messages.schema())
    assert messages.schema()["$id"].endswith(f"process-{messages.PROTOCOL}.json")


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("beta", [0.1, 0.0, 1000.0, 5e-324, 3.56012e-307])
def test_a_request_is_one_ascii_line_of_the_schema_with_the_numbers_bits(fmt, beta):
    values = [-0.0, np.inf, -np.inf, np.nan, fmt.largest, -fmt.smallest_subnormal, -1.5]
    batch = Batch.of(values, -1.0, np.negative(values), 0.0, beta=beta, label_smoothing=0.3)
    raw = messages.evaluate(3, batch, fmt, gradient=True)
    assert raw.endswith(b"}\n")
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert b"\\" not in raw
    request = json.loads(raw)
    WHOLE.validate(request)
    assert (request["id"], request["pairs"], request["dtype"], request["want_gradient"]) == (3, 7, fmt.name, True)
    assert request["beta"] == beta == struct.unpack(">d", bytes.fromhex(request["beta_bits"]))[0]
    assert request["label_smoothing"] == 0.3 == struct.unpack(">d", bytes.fromhex(request["label_smoothing_bits"]))[0]
    for name, given_ in zip(NAMES, batch.logps, strict=True):
        digits = request[name]
        patterns = [int(digits[i : i + fmt.width // 4], 16) for i in range(0, len(digits), fmt.width // 4)]
        assert patterns == fmt.encode(given_).tolist()


@pytest.mark.parametrize("wanted", [True, False])
def test_a_request_says_whether_derivatives_are_wanted(wanted):
    assert json.loads(messages.evaluate(1, golden(), binary32, gradient=wanted))["want_gradient"] is wanted


def test_the_first_and_the_last_line_are_of_the_schema():
    for raw in (messages.hello(), messages.BYE):
        assert raw.endswith(b"}\n")
        WHOLE.validate(json.loads(raw))


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_patterns_go_there_and_back(fmt):
    bits = np.array([0, 1, 2 ** (fmt.width - 1), 2 ** (fmt.width - 1) + 5, 3 * 2 ** (fmt.width - 4)], dtype=fmt.bits_dtype)
    values = fmt.decode(bits)
    digits = messages.to_hex(values, fmt)
    assert len(digits) == 5 * fmt.width // 4
    back = messages.from_hex("losses", digits.upper(), fmt, (5,))
    assert fmt.encode(back).tolist() == bits.tolist()


def test_one_is_3f800000_and_minus_a_half_follows_it():
    assert messages.to_hex(np.array([1.0, -0.5]), binary32) == "3f800000bf000000"
    assert messages.to_hex(np.array([1.0]), bfloat16) == "3f80"
    assert messages.to_hex(np.array([1.0]), binary16) == "3c00"
    assert messages.to_hex(np.array([1.0]), binary64) == "3ff0000000000000"


def test_an_answer_is_read():
    answer = read(ANSWER)
    assert answer.losses.tolist() == [1.0, 0.5, -1.0]
    assert answer.dtype == "float32"
    pc, pr, rc, rr = answer.gradient
    assert np.signbit(pr).all()
    assert pc.tolist() == pr.tolist() == [0, 0, 0]
    assert rc is rr is None


def test_a_wider_answer_states_its_format():
    answer = read({**ANSWER, "dtype": "binary64", "losses": "3ff0000000000000" * 3}, gradient=False)
    assert answer.losses.tolist() == [1, 1, 1]
    assert answer.dtype == "float64"


def test_a_gradient_that_was_not_wanted_is_ignored():
    assert read(ANSWER, gradient=False).gradient is None


def test_a_mean_and_an_empty_batch():
    mean = read({"type": "answer", "id": 7, "losses": "3f800000"}, gradient=False, reduction="mean")
    assert mean.losses.shape == ()
    assert mean.losses == 1
    empty = read({"type": "answer", "id": 7, "losses": ""}, golden().take(slice(0, 0)), gradient=False)
    assert empty.losses.shape == (0,)


def test_a_hello_is_read():
    hello = messages.read_hello(line({**HELLO, "subnormals": "flush", "environment": {"cc": "12"}}))
    assert (hello.name, hello.version, hello.environment) == ("mine", "1.2", {"cc": "12"})
    assert hello.claims == Claims(formats=(binary32,), subnormals="flush")


def documented():
    """The messages that docs/process.md shows, in order."""
    return [line for fence in fences("docs/process.md") if fence.language == "json" for line in fence.content.splitlines()]


def test_the_messages_of_the_page_are_those_of_the_schema_and_the_suite():
    shown = documented()
    for message in shown:
        WHOLE.validate(json.loads(message))
    pairs = golden().take([0, 1])
    assert messages.evaluate(1, pairs, binary32, gradient=True).decode() == shown[2] + "\n"
    claimed = messages.read_hello(shown[1].encode()).claims
    answer = messages.read_answer(shown[3].encode(), 1, pairs, binary32, claimed, gradient=True)
    assert answer.losses == pytest.approx(load("numpy").evaluate(pairs, binary32, gradient=False).losses, rel=2**-22)
    assert json.loads(shown[5]) == json.loads(messages.BYE)


def test_the_page_names_every_word_that_a_finding_begins_with():
    page = (DOCS / "process.md").read_text(encoding="utf-8")
    package = Path(messages.__file__).parent
    raised = {kind for file in package.glob("*.py") for kind in re.findall(r'Misbehaviour\("([a-z ]+)"', file.read_text())}
    assert raised >= {"hung", "ended", "garbled", "unasked", "another hello"}
    for kind in raised - {"another protocol", "wrong type"} | {"wrong shape", "wrong dtype"}:
        assert f"| `{kind}` |" in page


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.sampled_from(["answer", "hello", "error", "binary32", "binary64", "beta", "none", "3f800000", "xyz"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.sampled_from(["program_hello", "program_answer", "program_error"]), st.data())
def test_what_the_schema_refuses_is_garbled_and_what_it_takes_is_not(kind, data):
    model = {"program_hello": HELLO, "program_answer": ANSWER, "program_error": {"type": "error", "id": 7, "message": "no"}}[
        kind
    ]
    message = dict(model)
    for key in data.draw(st.lists(st.sampled_from([*model, "dtype", "other"]), min_size=1, max_size=2)):
        if data.draw(st.booleans()):
            message.pop(key, None)
        else:
            message[key] = data.draw(JUNK)
    meant = "program_error" if message.get("type") == "error" else kind
    valid = jsonschema.Draft202012Validator(messages.schema()["$defs"][meant]).is_valid(message)
    try:
        messages.read_hello(line(message)) if kind == "program_hello" else read(message)
    except Misbehaviour as error:
        other = error.kind == "another protocol" and kind == "program_hello"
        assert valid == (error.kind != "garbled") or other
        assert "\n" not in str(error)
    else:
        assert valid
