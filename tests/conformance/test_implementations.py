"""What a wrapper hands to a function, and how it reads what comes back."""

import math
import sys

import ml_dtypes
import numpy as np
import pytest
import torch

from conformance.clauses.trial import Trial
from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations import numpy_implementation, torch_implementation
from conformance.implementations.numpy import STABLE
from conformance.implementations.protocol import Weighing
from conformance.implementations.torch_spellings import CPU as SHIPPED_TORCH
from conformance.implementations.torch_tensors import DTYPES
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.pairs import golden
from oracle import FORMATS, bfloat16, binary16, binary32, binary64, get_format

WRAPPERS = {"numpy": numpy_implementation, "torch": torch_implementation}
wrappers = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
formats = pytest.mark.parametrize("fmt", FORMATS, ids=str)
N = len(golden())


def plain(pc, pr, rc, rr, beta, eps):
    """The margin."""
    return (pc - rc) - (pr - rr)


def right(pc, pr, rc, rr, beta, eps):
    return -torch.nn.functional.logsigmoid(beta * ((pc - rc) - (pr - rr)))


# -- the wrapper and what it claims ------------------------------------------------------------------------------------


@wrappers
def test_call_and_decorator_wrap_the_same_function(wrap):
    called, named, decorated, with_keywords = wrap(plain), wrap(plain, name="x"), wrap()(plain), wrap(name="x")(plain)
    assert [i.name for i in (called, named, decorated, with_keywords)] == ["plain", "x", "plain", "x"]
    for implementation in (called, named, decorated, with_keywords):
        assert implementation.__doc__ == "The margin."
        assert implementation.__wrapped__ is plain
        assert implementation(4, 1, 2, 2, beta=0.1, eps=0) == 3


@wrappers
@pytest.mark.parametrize(
    ("keywords", "claimed"),
    [
        ({}, {"reduction": "none", "options": ["beta", "label_smoothing"], "subnormals": None, "metrics": False}),
        ({"dtypes": ["float16", bfloat16]}, {"formats": ["binary16", "bfloat16"]}),
        ({"dtypes": None}, {"formats": [fmt.name for fmt in FORMATS]}),
        ({"reduction": "mean"}, {"reduction": "mean"}),
        ({"options": ["beta"]}, {"options": ["beta"]}),
        ({"options": ()}, {"options": []}),
        ({"subnormals": "flush"}, {"subnormals": "flush"}),
        ({"subnormals": "gradual"}, {"subnormals": "gradual"}),
        ({"metrics": plain}, {"metrics": True}),
    ],
)
def test_each_keyword_is_a_claim(wrap, keywords, claimed):
    assert wrap(plain, **keywords).claims.plain().items() >= claimed.items()


def test_gradients_are_claimed_by_torch_always_and_by_numpy_with_a_function():
    assert torch_implementation(plain).claims.gradient
    assert not numpy_implementation(plain).claims.gradient
    assert numpy_implementation(plain, gradient=plain).claims.gradient
    for wrap, allowed in ((torch_implementation, "True or False"), (numpy_implementation, "a function")):
        with pytest.raises(BadClaim, match=f"gradient = 'yes': {allowed}"):
            wrap(plain, gradient="yes")


@pytest.mark.parametrize(
    ("keyword", "value", "allowed"),
    [
        ("dtypes", ["float8"], "binary16, bfloat16, binary32, binary64"),
        ("dtypes", [torch.float16], "binary16, bfloat16, binary32, binary64"),
        ("dtypes", "float32", "a collection of format names"),
        ("dtypes", [], "a collection of format names"),
        ("reduction", "sum", "'none' or 'mean'"),
        ("options", ["gamma"], "beta, label_smoothing"),
        ("options", "beta", "beta, label_smoothing"),
        ("subnormals", "ftz", "'gradual' or 'flush'"),
        ("options", None, "beta, label_smoothing"),
        ("notes", "slow", "texts by clause"),
        ("metrics", 3, "a function, called with the same arguments"),
    ],
)
@wrappers
def test_a_claim_that_does_not_exist_is_refused_by_name(wrap, keyword, value, allowed):
    with pytest.raises(BadClaim) as refused:
        wrap(plain, **{keyword: value})
    shown = value[0] if isinstance(value, list) and value else value
    assert str(refused.value).startswith(keyword)
    assert str(shown) in str(refused.value)
    assert allowed in str(refused.value)


@wrappers
def test_a_library_that_is_not_installed_is_refused_by_name(wrap):
    with pytest.raises(BadClaim, match=r"^library = 'padle': no distribution of that name is installed"):
        _ = wrap(plain, library="padle").environment


def test_an_unknown_device_is_refused_by_name():
    with pytest.raises(BadClaim, match=r"^device = 'gpu': .*cpu.*cuda"):
        torch_implementation(plain, device="gpu")


@pytest.mark.parametrize("device", ["cpu", "cuda:99", "mps", "xpu", "meta"])
def test_a_device_is_taken_and_its_absence_told(device):
    implementation = torch_implementation(right, device=device)
    assert str(implementation.device) == implementation.environment["device"] == device
    told = implementation.unavailable()
    if device == "cpu":
        assert told is None
    elif device in {"cuda:99", "meta"} or not getattr(torch, device).is_available():
        assert told.startswith(f"no {implementation.device.type.upper()} device")


# -- the way in --------------------------------------------------------------------------------------------------------


def samples(fmt):
    """Every pattern of a 16-bit format; of a wide one, edges and random patterns of every exponent."""
    if fmt.width == 16:
        return fmt.all_values()
    tiny, normal, top = fmt.smallest_subnormal, fmt.smallest_normal, fmt.largest
    edges = [0.0, tiny, 3 * tiny, normal - tiny, normal, 1.0, 1 + 2.0 ** (1 - fmt.precision), top, math.inf]
    patterns = np.random.default_rng(1).integers(0, 2**fmt.width, 4000, dtype=np.uint64).astype(fmt.bits_dtype)
    return np.concatenate([np.array(edges), -np.array(edges), [math.nan], fmt.decode(patterns)])


def bits(fmt, values):
    """The patterns of a format's numbers by a way that is not the oracle's."""
    with np.errstate(invalid="ignore"):
        if fmt is bfloat16:
            return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return values.astype(f"f{fmt.width // 8}").view(f"u{fmt.width // 8}")


@formats
@wrappers
def test_inputs_arrive_bit_for_bit(wrap, fmt):
    seen = []

    def records(*arguments):
        seen.extend(arguments)
        return arguments[0]

    values = samples(fmt)
    batch = Batch.of(values, values[::-1], np.roll(values, 1), np.roll(values, 2), beta=0.1, label_smoothing=0.3)
    wrap(records).evaluate(batch, fmt, gradient=False)
    assert seen[4:] == [0.1, 0.3]
    for received, sent in zip(seen[:4], batch.logps, strict=True):
        arrived = received
        if wrap is torch_implementation:
            assert received.dtype is DTYPES[fmt.name]
            arrived = received.view(getattr(torch, f"int{fmt.width}")).numpy()
        got, expected = np.ascontiguousarray(arrived).view(fmt.bits_dtype), bits(fmt, sent)
        number = ~np.isnan(sent)
        assert np.array_equal(got[number], expected[number])
        assert np.isnan(fmt.decode(got[~number])).all()


def test_bfloat16_arrives_in_numpy_as_ml_dtypes():
    dtypes = []
    numpy_implementation(lambda pc, *_: dtypes.append(pc.dtype) or pc).evaluate(golden(), bfloat16, gradient=False)
    assert dtypes == [np.dtype(ml_dtypes.bfloat16)]


@wrappers
def test_strided_inputs_are_strided_views_of_the_same_numbers(wrap):
    seen = []

    def records(pc, *rest):
        seen.append((pc.stride()[0] if wrap is torch_implementation else pc.strides[0] // pc.itemsize, pc.tolist()))
        return pc

    for strided in (False, True):
        wrap(records).evaluate(golden(), binary32, gradient=False, strided=strided)
    assert seen == [(1, golden().policy_chosen_logps.tolist()), (2, golden().policy_chosen_logps.tolist())]


# -- the way back ------------------------------------------------------------------------------------------------------


def stops(*_):
    sys.exit(3)


def raises(*_):
    raise RuntimeError("no kernel\nfor this")


WRONG_ANYWHERE = {
    "None": (lambda *_: None, "wrong type", "NoneType"),
    "list": (lambda pc, *_: pc.tolist(), "wrong type", "list"),
    "number": (lambda *_: 0.69, "wrong type", "float"),
    "tuple": (lambda pc, *_: (pc, pc, pc), "wrong type", "tuple"),
    "column": (lambda pc, *_: pc[:, None], "wrong shape", f"({N}, 1)"),
    "one": (lambda pc, *_: pc[0], "wrong shape", "()"),
    "fewer": (lambda pc, *_: pc[:-1], "wrong shape", f"({N - 1},)"),
    "raises": (raises, "raised", "RuntimeError: no kernel"),
    "stops": (stops, "raised", "SystemExit: 3"),
}
WRONG_NUMPY = {
    "integer": (lambda pc, *_: pc.astype(np.int64), "wrong dtype", "int64"),
    "boolean": (lambda pc, *_: pc > 0, "wrong dtype", "bool"),
    "complex": (lambda pc, *_: pc.astype(np.complex128) * 1j, "wrong dtype", "complex128"),
    "objects": (lambda pc, *_: np.full(len(pc), math.nan, dtype=object), "wrong dtype", "object"),
    "text": (lambda pc, *_: pc.astype(str), "wrong dtype", "U"),
    "narrower": (lambda pc, *_: pc.astype(np.float16), "wrong dtype", "narrower"),
    "tensor": (lambda pc, *_: torch.from_numpy(pc), "wrong type", "Tensor"),
}
WRONG_TORCH = {
    "integer": (lambda pc, *_: pc.long(), "wrong dtype", "torch.int64"),
    "complex": (lambda pc, *_: pc.to(torch.complex64), "wrong dtype", "torch.complex64"),
    "narrower": (lambda pc, *_: pc.bfloat16(), "wrong dtype", "narrower"),
    "array": (lambda pc, *_: pc.detach().numpy(), "wrong type", "ndarray"),
    "sparse": (lambda pc, *_: pc.to_sparse(), "wrong type", "sparse"),
}
WRONG = [(wrap, *case) for cases, wraps in (
    (WRONG_ANYWHERE, WRAPPERS), (WRONG_NUMPY, ["numpy"]), (WRONG_TORCH, ["torch"])
) for case in cases.values() for wrap in wraps]  # fmt: skip


@pytest.mark.parametrize(("wrap", "function", "kind", "said"), WRONG)
def test_what_is_no_answer_is_named(wrap, function, kind, said):
    with pytest.raises(Misbehaviour) as error:
        WRAPPERS[wrap](function).evaluate(golden(), binary32, gradient=False)
    assert error.value.kind == kind
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert kind == "raised" or str(error.value).startswith("losses: ")


@wrappers
def test_an_interrupt_of_the_user_is_no_answer_of_the_implementation(wrap):
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wrap(interrupted).evaluate(golden(), binary32, gradient=False)


@pytest.mark.parametrize(
    ("wrap", "widen", "dtype"),
    [
        ("numpy", lambda x: x.astype(np.float64) / 3, "float64"),
        ("numpy", lambda x: x.astype(np.float32) / 3, "float32"),
        ("torch", lambda x: x.double() / 3, "float64"),
        ("torch", lambda x: x.float() / 3, "float32"),
    ],
)
@pytest.mark.parametrize("fmt", [binary16, bfloat16], ids=str)
def test_a_wider_result_is_taken_exactly(wrap, widen, dtype, fmt):
    answer = WRAPPERS[wrap](lambda pc, *_: widen(pc)).evaluate(golden(), fmt, gradient=False)
    exact = golden().policy_chosen_logps / 3
    assert answer.dtype == dtype
    assert answer.losses.tolist() == (exact if dtype == "float64" else np.float32(exact)).tolist()


@pytest.mark.parametrize("place", range(4))
@wrappers
def test_a_changed_input_is_reported_by_name(wrap, place):
    def writes(*arguments):
        arguments[place][1] += 1
        return arguments[0] * 1

    assert wrap(writes).evaluate(golden(), binary32, gradient=False).wrote == (NAMES[place],)
    assert wrap(lambda pc, *_: pc).evaluate(golden(), binary32, gradient=False).wrote == ()


@wrappers
def test_a_changed_sign_of_zero_is_a_changed_input_and_nan_is_none(wrap):
    batch = Batch.of([-0.0, math.nan, -math.nan], -1.0)

    def cleans(pc, *_):
        pc += 0
        return pc * 1

    assert wrap(cleans).evaluate(batch, binary32, gradient=False).wrote == ("policy_chosen_logps",)
    assert wrap(lambda pc, *_: pc * 1).evaluate(batch, binary32, gradient=False).wrote == ()


# -- derivatives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eps", [0.0, 0.3])
@formats
def test_autograd_and_the_gradient_by_hand_agree(fmt, eps):
    batch = golden().at(label_smoothing=eps)
    z = 0.1 * np.array([2.0, 5.0, 4.0])
    slope = 0.1 * (1 / (1 + np.exp(z)) - eps)
    room = 16 * 2.0**-fmt.precision
    for implementation in (STABLE, SHIPPED_TORCH):
        found = implementation.evaluate(batch, fmt, gradient=True).gradient
        for part, sign in zip(found, (-1, 1, 1, -1), strict=True):
            assert part == pytest.approx(sign * slope, abs=room)
    by_hand, autograd = (i.evaluate(batch, binary64, gradient=True).gradient for i in (STABLE, SHIPPED_TORCH))
    assert np.array(by_hand) == pytest.approx(np.array(autograd), rel=1e-14)


def test_a_gradient_is_given_only_when_it_is_asked_for():
    tracked = []

    def function(pc, pr, rc, rr, beta, eps):
        tracked.append([x.requires_grad for x in (pc, pr, rc, rr)])
        return right(pc, pr, rc, rr, beta, eps)

    implementation = torch_implementation(function)
    assert implementation.evaluate(golden(), binary32, gradient=False).gradient is None
    assert implementation.evaluate(golden(), binary32, gradient=True).gradient is not None
    assert tracked == [[False] * 4, [True] * 4]
    assert STABLE.evaluate(golden(), binary32, gradient=False).gradient is None


def test_a_detached_reference_has_no_derivative():
    detached = torch_implementation(lambda pc, pr, rc, rr, beta, eps: right(pc, pr, rc.detach(), rr.detach(), beta, eps))
    assert [part is None for part in detached.evaluate(golden(), binary32, gradient=True).gradient] == [
        False,
        False,
        True,
        True,
    ]
    by_hand = numpy_implementation(plain, gradient=lambda pc, *_: (pc, pc, None, None))
    assert [part is None for part in by_hand.evaluate(golden(), binary32, gradient=True).gradient] == [False, False, True, True]


def test_weights_multiply_each_pairs_derivatives():
    torch_loss = torch_implementation(right)
    plain_answer = torch_loss.evaluate(golden(), binary64, gradient=True)
    weights = np.array([4.0, -2.0, 0.5])
    weighed = torch_loss.weighed(golden(), binary64, weights)
    assert np.array_equal(weighed.losses, plain_answer.losses)
    assert np.array_equal(np.array(weighed.gradient), weights * np.array(plain_answer.gradient))
    assert isinstance(torch_loss, Weighing)
    assert not isinstance(STABLE, Weighing)


def test_a_mean_takes_one_weight():
    mean = torch_implementation(lambda *arguments: right(*arguments).mean(), reduction="mean")
    plain_answer = mean.evaluate(golden(), binary64, gradient=True)
    weighed = mean.weighed(golden(), binary64, np.array([4.0]))
    assert np.array_equal(np.array(weighed.gradient), 4 * np.array(plain_answer.gradient))


def test_no_derivative_is_asked_for_in_the_reference_of_the_policy_alone():
    asked = []

    def function(pc, pr, rc, rr, beta, eps):
        asked.append([x.requires_grad for x in (pc, pr, rc, rr)])
        return right(pc, pr, rc, rr, beta, eps)

    answer = torch_implementation(function).weighed(golden(), binary32, np.ones(3), policy_alone=True)
    assert asked == [[True, True, False, False]]
    assert [part is None for part in answer.gradient] == [False, False, True, True]


def test_losses_without_a_graph_have_no_derivative():
    cut = torch_implementation(lambda *arguments: right(*arguments).detach())
    assert cut.evaluate(golden(), binary32, gradient=True).gradient == (None,) * 4


@pytest.mark.parametrize(
    ("gradient", "kind", "said"),
    [
        (lambda pc, *_: (pc, pc, pc), "wrong type", "four arrays"),
        (lambda pc, *_: pc, "wrong type", "four arrays"),
        (lambda pc, *_: (pc, pc[:1], pc, pc), "wrong shape", "d loss / d policy_rejected_logps"),
        (lambda pc, *_: (pc, pc, pc, pc.astype(int)), "wrong dtype", "d loss / d ref_rejected_logps"),
        (raises, "raised", "RuntimeError"),
    ],
)
def test_a_wrong_gradient_function_is_named(gradient, kind, said):
    with pytest.raises(Misbehaviour, match=said) as error:
        numpy_implementation(plain, gradient=gradient).evaluate(golden(), binary32, gradient=True)
    assert error.value.kind == kind


# -- means -------------------------------------------------------------------------------------------------------------


def mean(pc, pr, rc, rr, beta, eps):
    return right(pc, pr, rc, rr, beta, eps).mean()


def test_a_mean_is_one_number_and_its_derivatives_are_divided():
    answer = torch_implementation(mean, reduction="mean").evaluate(golden(), binary64, gradient=True)
    pairs = torch_implementation(right).evaluate(golden(), binary64, gradient=True)
    assert answer.losses.shape == ()
    assert float(answer.losses) == pytest.approx(pairs.losses.mean())
    assert np.array(answer.gradient) == pytest.approx(np.array(pairs.gradient) / N)


@pytest.mark.parametrize("wrap", [(mean, "none"), (right, "mean")])
def test_a_mean_that_is_none_and_none_that_is_a_mean_have_the_wrong_shape(wrap):
    function, reduction = wrap
    with pytest.raises(Misbehaviour, match="was promised") as error:
        torch_implementation(function, reduction=reduction).evaluate(golden(), binary32, gradient=False)
    assert error.value.kind == "wrong shape"


def test_a_mean_is_asked_for_one_pair_at_a_time(small):
    trial = Trial(torch_implementation(mean, reduction="mean"), binary64, small, 0)
    pairs = torch_implementation(right).evaluate(golden(), binary64, gradient=True)
    answer = trial.answer(golden(), gradient=True)
    assert answer.losses.tolist() == pairs.losses.tolist()
    assert np.array(answer.gradient).tolist() == np.array(pairs.gradient).tolist()
    assert answer.dtype == "float64"
    assert trial.answer(golden()).gradient is None
    assert len(trial.answer(Batch.of([], [])).losses) == 0


def test_a_mean_that_writes_its_inputs_is_seen(small):
    def writes(pc, pr, rc, rr, beta, eps):
        losses = mean(pc, pr, rc, rr, beta, eps)
        pr.detach().mul_(2)
        return losses

    trial = Trial(torch_implementation(writes, reduction="mean"), binary32, small, 0)
    assert trial.answer(golden()).wrote == ("policy_rejected_logps",)


def test_a_mean_gets_strided_inputs_where_they_are_asked_for(small):
    seen = []

    def records(pc, *rest):
        seen.append(pc.stride()[0])
        return mean(pc, *rest)

    Trial(torch_implementation(records, reduction="mean"), binary32, small, 0).answer(golden(), strided=True)
    assert set(seen) == {2}


# -- metrics and surroundings ------------------------------------------------------------------------------------------

METRICS = {"accuracy": 1.0, "margin": 2.0, "chosen_logratio": 3.0, "rejected_logratio": 4.0}


@wrappers
def test_metrics_are_floats_by_name(wrap):
    array = np.float32 if wrap is numpy_implementation else torch.tensor
    function = wrap(plain, metrics=lambda *_: {name: array(value) for name, value in METRICS.items()} | {"more": 1})
    assert dict(function.metrics(golden(), binary32)) == METRICS


@pytest.mark.parametrize(
    ("metrics", "kind", "said"),
    [
        (lambda *_: [1, 2, 3, 4], "wrong type", "mapping"),
        (lambda *_: {"accuracy": 1.0, "margin": 1.0}, "wrong type", "chosen_logratio, rejected_logratio"),
        (lambda *_: METRICS | {"margin": "high"}, "raised", "high"),
        (raises, "raised", "RuntimeError"),
        (None, "wrong type", "no metrics"),
        (lambda *_: METRICS | {"margin": np.zeros(3)}, "wrong shape", r"margin has shape \(3,\), where one number a batch"),
    ],
)
@wrappers
def test_wrong_metrics_are_named(wrap, metrics, kind, said):
    with pytest.raises(Misbehaviour, match=said) as error:
        wrap(plain, metrics=metrics).metrics(golden(), binary32)
    assert error.value.kind == kind


@pytest.fixture
def as_before():
    state, errors, threads = torch.get_rng_state(), np.geterr(), torch.get_num_threads()
    generator = np.random.get_state()  # noqa: NPY002
    yield
    torch.set_rng_state(state)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    np.seterr(**errors)
    np.random.set_state(generator)  # noqa: NPY002


@pytest.mark.parametrize(
    ("wrap", "changed", "change"),
    [
        ("torch", "default dtype", lambda: torch.set_default_dtype(torch.float64)),
        ("torch", "threads", lambda: torch.set_num_threads(torch.get_num_threads() + 1)),
        ("torch", "gradient mode", lambda: torch.set_grad_enabled(False)),
        ("torch", "deterministic algorithms", lambda: torch.use_deterministic_algorithms(True)),
        ("torch", "random", lambda: torch.rand(1)),
        ("numpy", "error handling", lambda: np.seterr(over="raise")),
        ("numpy", "random", np.random.rand),
    ],
)
def test_the_surroundings_tell_what_was_changed(wrap, changed, change, as_before):
    implementation = WRAPPERS[wrap](plain)
    before = dict(implementation.surroundings())
    assert before == implementation.surroundings()
    change()
    after = implementation.surroundings()
    assert [name for name in before if before[name] != after[name]] == [changed]


@pytest.mark.parametrize("name", ["float32", "single", "binary32"])
def test_aliases_of_a_format_are_the_same_claim(name):
    assert numpy_implementation(plain, dtypes=[name]).claims.formats == (get_format("binary32"),)
