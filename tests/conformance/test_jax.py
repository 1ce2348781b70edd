"""JAX functions behind the interface, where JAX is installed."""

import numpy as np
import pytest

from conformance import evaluate
from conformance.errors import Misbehaviour
from conformance.implementations.numpy import STABLE
from conformance.inputs.batch import Batch
from conformance.inputs.pairs import golden
from oracle import FORMATS, binary32, get_format

jax = pytest.importorskip("jax", reason="JAX is not installed")

from conformance.implementations import jax_implementation  # noqa: E402 - it imports JAX

jnp = jax.numpy
N = len(golden())
formats = pytest.mark.parametrize("fmt", FORMATS, ids=str)


def right(pc, pr, rc, rr, beta, eps):
    return -jax.nn.log_sigmoid(beta * ((pc - rc) - (pr - rr)))


@formats
def test_inputs_arrive_bit_for_bit_and_in_their_own_dtype(fmt):
    seen = []

    def records(pc, *rest):
        seen.append(pc)
        return pc

    values = np.array([-0.0, -1.5, -np.inf, np.nan, -fmt.largest, -fmt.smallest_normal])
    answer = jax_implementation(records).evaluate(Batch.of(values, -1.0), fmt, gradient=False)
    assert np.array_equal(answer.losses, values, equal_nan=True)
    assert np.signbit(answer.losses[0])
    assert (
        seen[0].dtype == {"binary16": "float16", "bfloat16": "bfloat16", "binary32": "float32", "binary64": "float64"}[fmt.name]
    )
    assert not jax.config.jax_enable_x64, "binary64 is enabled around its own calls alone"


@formats
@pytest.mark.parametrize("jit", [False, True])
def test_losses_and_derivatives(fmt, jit):
    room = 32 * 2.0**-fmt.precision
    exact = evaluate(STABLE, "binary64", *golden().logps)
    got = jax_implementation(right, jit=jit).evaluate(golden(), fmt, gradient=True)
    assert got.losses == pytest.approx(exact.losses, rel=room)
    assert np.array(got.gradient) == pytest.approx(np.array(exact.gradient), rel=room)


@pytest.mark.parametrize("jit", [False, True])
def test_a_stopped_reference_has_no_derivative_and_a_vanished_one_is_zero(jit):
    def stopped(pc, pr, rc, rr, beta, eps):
        return right(pc, pr, jax.lax.stop_gradient(rc), 0 * rr, beta, eps)

    found = jax_implementation(stopped, jit=jit).evaluate(golden(), binary32, gradient=True).gradient
    assert [part is None for part in found] == [False, False, True, False]
    assert found[3].tolist() == [0, 0, 0]


def test_options_are_static_under_jit():
    def branches(pc, pr, rc, rr, beta, eps):
        return right(pc, pr, rc, rr, beta, eps) if eps == 0 else pc * 0

    implementation = jax_implementation(branches, jit=True)
    assert implementation.evaluate(golden(), binary32, gradient=False).losses.all()
    assert not implementation.evaluate(golden().at(label_smoothing=0.1), binary32, gradient=False).losses.any()


@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (lambda pc, *_: np.asarray(pc), "wrong type", "ndarray"),
        (lambda pc, *_: pc[0], "wrong shape", "()"),
        (lambda pc, *_: pc.astype("int32"), "wrong dtype", "int32"),
        (lambda pc, *_: pc.astype("bfloat16"), "wrong dtype", "narrower"),
        (lambda pc, *_: pc @ pc[:1], "raised", "TypeError"),
    ],
)
def test_what_is_no_answer_is_named(function, kind, said):
    with pytest.raises(Misbehaviour) as error:
        jax_implementation(function).evaluate(golden(), binary32, gradient=False)
    assert error.value.kind == kind
    assert said in str(error.value)


def test_a_wider_result_is_taken_exactly():
    widens = jax_implementation(lambda pc, *_: pc.astype("float32") * 1.1)
    answer = widens.evaluate(golden(), get_format("bfloat16"), gradient=False)
    assert answer.dtype == "float32"
    assert answer.losses.tolist() == (np.float32(golden().policy_chosen_logps) * np.float32(1.1)).tolist()


def test_a_mean_and_its_derivatives():
    mean = jax_implementation(lambda *arguments: right(*arguments).mean(), reduction="mean")
    answer, pairs = (i.evaluate(golden(), binary32, gradient=True) for i in (mean, jax_implementation(right)))
    assert answer.losses.shape == ()
    assert float(answer.losses) == pytest.approx(pairs.losses.mean())
    assert np.array(answer.gradient) == pytest.approx(np.array(pairs.gradient) / N)


def test_metrics_claims_and_surroundings():
    numbers = dict.fromkeys(("accuracy", "margin", "chosen_logratio", "rejected_logratio"), jnp.float32(2))
    implementation = jax_implementation(right, metrics=lambda *_: numbers, subnormals="flush", options=("beta",))
    assert dict(implementation.metrics(golden(), binary32)) == dict.fromkeys(numbers, 2.0)
    assert implementation.claims.plain()["options"] == ["beta"]
    before = implementation.surroundings()
    with jax.debug_nans(True):
        after = implementation.surroundings()
    assert [name for name in before if before[name] != after[name]] == ["jax_debug_nans"]
    assert jax_implementation(name="x")(right).name == "x"


@pytest.mark.parametrize("jit", [False, True])
def test_weights_multiply_each_pairs_derivatives_and_the_reference_may_be_left_out(jit):
    loss = jax_implementation(right, jit=jit)
    plain = loss.evaluate(golden(), binary32, gradient=True)
    weights = np.array([4.0, -2.0, 0.5])
    weighed = loss.weighed(golden(), binary32, weights)
    assert np.array_equal(weighed.losses, plain.losses)
    assert np.array_equal(np.array(weighed.gradient), weights * np.array(plain.gradient))
    alone = loss.weighed(golden(), binary32, np.ones(N), policy_alone=True).gradient
    assert np.array_equal(np.array(alone[:2]), np.array(plain.gradient[:2]))
    assert alone[2:] == (None, None)
