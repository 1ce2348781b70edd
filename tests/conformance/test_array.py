"""A function of any framework's arrays: one with arrays of its own, one that speaks DLPack, one that converts badly."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from conformance.clauses import find
from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations import array_implementation, load
from conformance.implementations.array import NotAnArray, as_numpy
from conformance.inputs.batch import NAMES
from conformance.inputs.pairs import golden
from conformance.records.record import Level, Verdict
from oracle import bfloat16, binary32, binary64

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SMOOTHED = golden().at(beta=0.7, label_smoothing=0.1)


@pytest.fixture(scope="module")
def quill():
    sys.path.append(str(EXAMPLES))
    import quill  # noqa: PLC0415

    yield quill
    sys.path.remove(str(EXAMPLES))


def read(sheet):
    return np.asarray(sheet.memory)


@pytest.fixture
def wrapped(quill):
    """wrapped(change=..., ...): the stable loss in quill, what it computes with changed."""

    def wrapped(change=lambda x: x, **keywords):
        def function(pc, pr, rc, rr, beta, eps):
            z = beta * ((pc - rc) - (pr - rr))
            losses = -quill.log_sigmoid(z)
            return change(losses if eps == 0 else (1 - eps) * losses - eps * quill.log_sigmoid(-z))

        def gradient(*arguments):
            return quill.slopes(function(*arguments), *arguments[:4])

        given = {"from_numpy": quill.sheet, "to_numpy": read, "gradient": gradient, "dtypes": ["float32", "float64"]}
        return array_implementation(function, **given | keywords)

    return wrapped


@pytest.mark.parametrize("fmt", [binary32, binary64], ids=str)
def test_a_framework_of_its_own_gives_the_losses_and_derivatives_of_numpy(wrapped, fmt):
    implementation = wrapped()
    got, expected = (i.evaluate(SMOOTHED, fmt, gradient=True) for i in (implementation, load("numpy")))
    assert got.losses == pytest.approx(expected.losses, rel=8 * fmt.unit_roundoff)
    assert np.array(got.gradient) == pytest.approx(np.array(expected.gradient), rel=8 * fmt.unit_roundoff)
    assert (got.dtype, got.wrote) == (expected.dtype, ())
    assert implementation.name == "function"
    assert implementation.claims.formats == (binary32, binary64)


def test_it_conforms_and_without_its_minus_it_does_not(wrapped, judged):
    clauses = [find(i) for i in ("CALL-1", "CALL-3", "DEF-3", "LOSS-1", "GRAD-1", "OPTION-2")]
    right, wrong = (judged(i, "binary32", clauses=clauses) for i in (wrapped(), wrapped(lambda losses: -losses)))
    assert right.verdict is Verdict.CONFORMS
    assert wrong.verdict is Verdict.VIOLATES
    assert {f.clause for f in wrong.findings if f.verdict is Verdict.VIOLATES and f.level is Level.MUST} >= {
        "LOSS-1",
        "DEF-3",
    }


def test_the_wrapped_function_is_called_with_the_frameworks_own_arrays(wrapped, quill):
    assert isinstance(wrapped()(*(quill.sheet(np.zeros(2)) for _ in range(4)), 0.1, 0.0), quill.Sheet)


def test_what_it_writes_into_its_own_copies_counts(wrapped, quill):
    def writes(pc, pr, rc, rr, beta, eps):
        pr.memory[1] = 0.0
        return pc - rc

    answer = array_implementation(writes, from_numpy=quill.sheet, to_numpy=read).evaluate(golden(), binary32, gradient=False)
    assert answer.wrote == (NAMES[1],)


def test_nan_and_signed_zeros_are_no_writing(wrapped):
    batch = golden().take([0, 1])
    batch.policy_chosen_logps[:] = [np.nan, -0.0]
    assert wrapped().evaluate(batch, binary32, gradient=True).wrote == ()


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ("from_numpy", "raised", "CannotConvert: from_numpy raised TypeError"),
        ("to_numpy", "raised", "CannotConvert: to_numpy raised AttributeError"),
        ("default", "raised", "NotAnArray: no NumPy array of a Sheet: it offers neither DLPack nor __array__; give to_numpy"),
        ("losses", "raised", "CannotConvert: to_numpy raised AttributeError: 'float' object has no attribute 'memory'"),
        ("gradient", "wrong type", "gradient: four arrays were promised"),
        ("integers", "wrong dtype", "losses: dtype int64"),
    ],
)
def test_what_goes_wrong_says_where(wrapped, quill, change, kind, said):
    implementation = {
        "from_numpy": lambda: wrapped(from_numpy=lambda x: quill.sheet(x.astype("i4"))),
        "to_numpy": lambda: wrapped(to_numpy=lambda x: x.numbers),
        "default": lambda: wrapped(to_numpy=as_numpy),
        "losses": lambda: wrapped(lambda _: 0.5),
        "gradient": lambda: wrapped(gradient=lambda *a: a[0]),
        "integers": lambda: wrapped(to_numpy=lambda x: np.asarray(x.memory).astype(int)),
    }[change]()
    with pytest.raises(Misbehaviour) as error:
        implementation.evaluate(golden(), binary32, gradient=True)
    assert error.value.kind == kind
    assert said in str(error.value)


def test_dlpack_alone_suffices():
    class Capsule:
        def __init__(self, tensor):
            self.tensor = torch.from_dlpack(tensor)

        def __dlpack__(self, **keywords):
            return self.tensor.__dlpack__(**keywords)

        def __dlpack_device__(self):
            return self.tensor.__dlpack_device__()

    @array_implementation(from_numpy=Capsule, dtypes=["float32"], name="by DLPack")
    def loss(pc, pr, rc, rr, beta, eps):
        return Capsule(torch.nn.functional.softplus(-beta * ((pc.tensor - rc.tensor) - (pr.tensor - rr.tensor))))

    got = loss.evaluate(golden(), binary32, gradient=True)
    assert got.losses == pytest.approx(load("torch").evaluate(golden(), binary32, gradient=False).losses)
    assert got.gradient is None
    assert loss.name == "by DLPack"


def test_array_protocol_alone_suffices():
    class Wrapped:
        def __init__(self, numbers):
            self.numbers = numbers

        def __array__(self, dtype=None, copy=None):
            return self.numbers

    function = array_implementation(lambda pc, pr, rc, rr, beta, eps: Wrapped(pc.numbers - rc.numbers), from_numpy=Wrapped)
    assert function.evaluate(golden(), bfloat16, gradient=False).losses.tolist() == [1, -1, 0]


class Refuses:
    """As an array whose dtype NumPy's DLPack does not know, or which is tracked: `__dlpack__` is there, and raises."""

    def __init__(self, numbers, message=""):
        self.numbers, self.message = numbers, message

    def __dlpack__(self, **keywords):
        raise BufferError("bfloat16 is not supported by DLPack")

    def __dlpack_device__(self):
        return 1, 0

    def __array__(self, dtype=None, copy=None):
        if self.message:
            raise TypeError(self.message)
        return self.numbers


def test_where_dlpack_refuses_the_array_protocol_serves():
    function = array_implementation(lambda pc, pr, rc, rr, beta, eps: Refuses(pc.numbers - rc.numbers), from_numpy=Refuses)
    assert function.evaluate(golden(), bfloat16, gradient=False).losses.tolist() == [1, -1, 0]


def test_where_both_refuse_both_are_told():
    with pytest.raises(NotAnArray, match=r"__dlpack__ raised BufferError.*__array__ raised TypeError: call detach.*to_numpy"):
        as_numpy(Refuses(None, "call detach"))


def test_the_record_names_the_frameworks_version_and_the_notes_of_its_wrapper(wrapped):
    implementation = wrapped(library="torch", notes={"KERNEL-1": "its own log"})
    assert implementation.environment["library"].startswith("torch 2")
    assert implementation.claims.notes == {"KERNEL-1": "its own log"}


@pytest.mark.parametrize("keyword", ["from_numpy", "to_numpy"])
def test_a_conversion_that_cannot_be_called_is_a_bad_claim(wrapped, keyword):
    with pytest.raises(BadClaim, match=f"{keyword} = 3"):
        wrapped(**{keyword: 3})


def test_its_metrics_are_read_as_numbers(wrapped):
    metrics = wrapped(metrics=lambda *a: dict.fromkeys(("accuracy", "margin", "chosen_logratio", "rejected_logratio"), 0.5))
    assert metrics.claims.metrics
    assert metrics.metrics(golden(), binary32)["margin"] == 0.5
