"""One call on numbers typed by hand: what the snippets of a report use."""

import subprocess
import sys

import numpy as np
import pytest

from conformance import evaluate
from conformance.clauses import find
from conformance.errors import BadRequest, CannotLoad, Misbehaviour, UnknownImplementation
from conformance.implementations import numpy_implementation
from conformance.inputs.pairs import golden
from oracle import FORMATS, NotRepresentable, UnknownFormat

PAIRS = ([-10, -20, -5], [-12, -25, -9], [-11, -19, -5], [-11, -19, -5])


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_it_is_one_call_of_the_implementation(name, fmt):
    from conformance.implementations import load  # noqa: PLC0415

    answer = evaluate(name, fmt, *PAIRS, beta=0.5, label_smoothing=0.1)
    direct = load(name).evaluate(golden().at(beta=0.5, label_smoothing=0.1), fmt, gradient=True)
    assert answer.losses.tolist() == direct.losses.tolist()
    assert np.array(answer.gradient).tolist() == np.array(direct.gradient).tolist()
    assert answer.dtype == direct.dtype


def test_defaults_are_those_of_the_definition():
    assert evaluate("numpy", "float64", *PAIRS).losses.mean() == pytest.approx(0.52841036865388370661, rel=1e-15)


def test_an_object_and_numbers_that_are_no_lists(softplus):
    answer = evaluate(numpy_implementation(softplus), "bfloat16", -1, -2, -1.5, -1.5)
    assert answer.losses.shape == (1,)
    assert answer.gradient is None, "it claims no gradient"


def test_a_single_number_is_broadcast():
    assert len(evaluate("numpy", "float32", [-1, -2], -3, -1, [-1, -2]).losses) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("numpy", "float8", -1, -2, -3, -4), UnknownFormat, "float8"),
        (("numpy", "bfloat16", -0.1, -2, -3, -4), NotRepresentable, "0.1"),
        (("mxnet", "bfloat16", -1, -2, -3, -4), UnknownImplementation, "mxnet"),
        (("no/file.py:F", "bfloat16", -1, -2, -3, -4), CannotLoad, "no such file"),
        ((numpy_implementation(lambda *_: None), "bfloat16", -1, -2, -3, -4), Misbehaviour, "NoneType"),
    ],
)
def test_what_cannot_be_evaluated_says_why(arguments, error, said):
    with pytest.raises(error, match=said):
        evaluate(*arguments)


@pytest.mark.parametrize("first", ["", "import conformance.running.evaluation\n", "from conformance import judge\n"])
def test_the_two_doors_of_the_package_are_functions_however_often_they_are_opened(first):
    code = "from conformance import evaluate, judge\nassert callable(evaluate) and callable(judge)\n"
    subprocess.run([sys.executable, "-c", first + code * 2], check=True, timeout=120)


def test_a_name_that_the_package_does_not_have():
    import conformance  # noqa: PLC0415

    with pytest.raises(AttributeError, match="no attribute 'juge'"):
        conformance.juge  # noqa: B018


def test_weights_are_for_implementations_whose_derivatives_a_framework_takes():
    weighed = evaluate("torch", "float32", *PAIRS, weights=[2.0] * len(PAIRS[0]))
    plain = evaluate("torch", "float32", *PAIRS)
    assert np.array_equal(np.array(weighed.gradient), 2 * np.array(plain.gradient))
    alone = evaluate("torch", "float32", *PAIRS, policy_alone=True).gradient
    assert alone[2:] == (None, None)
    assert np.array_equal(np.array(alone[:2]), np.array(plain.gradient[:2]))
    with pytest.raises(BadRequest, match="numpy: no framework takes its derivatives"):
        evaluate("numpy", "float32", *PAIRS, policy_alone=True)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_derivatives_that_are_declined_are_not_claimed_and_not_asked_for(framework, judged):
    pytest.importorskip(framework)
    from conformance import implementations  # noqa: PLC0415

    def loss(pc, pr, rc, rr, beta, eps):
        return abs(pc - rc) + (pr - rr)

    wrap = getattr(implementations, f"{framework}_implementation")
    declined, claimed = (wrap(loss, options=("beta",), gradient=gradient) for gradient in (False, True))
    assert evaluate(declined, "float32", *PAIRS).gradient is None
    assert evaluate(claimed, "float32", *PAIRS).gradient is not None
    with pytest.raises(BadRequest, match="takes no weights"):
        evaluate(declined, "float32", *PAIRS, weights=[1, 2, 3])
    clauses = [find(name) for name in ("CALL-1", "GRAD-1", "GRAD-6")]
    verdicts = [[str(f.verdict) for f in judged(i, "binary32", clauses=clauses).findings] for i in (declined, claimed)]
    assert verdicts == [["violates", "not claimed", "not claimed"], ["violates"] * 3]
