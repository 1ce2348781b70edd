"""The NumPy and JAX references: no MUST and no SHOULD that they claim is violated; JAX under every transformation."""

import numpy as np
import pytest

import oracle
from conformance.implementations import load
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.runner import run
from oracle import FORMATS
from oracle.reference import numpy as reference

jax = pytest.importorskip("jax", reason="JAX is not installed")

from oracle.reference import jax as reference_jax  # noqa: E402 - it imports JAX

LOGPS = [np.array(x) for x in ([-3.0, -20.0], [-4.0, -11.0], [-3.5, -19.0], [-3.25, -12.0])]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("name", ["reference-numpy", "reference-torch"])
@pytest.mark.no_cover  # every clause, which other tests cover
def test_no_must_and_no_should_is_violated(name, fmt):
    found = run(load(name), fmt, get_profile("quick"), seed=0)
    assert [finding.clause for finding in found.findings if finding.verdict is Verdict.VIOLATES] == []


@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
def test_numpy_and_jax_agree_with_the_oracle(eps):
    exact = [float(x) for x in oracle.loss(*LOGPS, beta=0.5, label_smoothing=eps)]
    assert reference.dpo_loss(*LOGPS, 0.5, eps) == pytest.approx(exact, rel=1e-15, abs=0)
    assert reference.dpo_loss(*LOGPS, 0.5, eps, "mean") == pytest.approx(np.mean(exact), rel=1e-15, abs=0)
    with jax.enable_x64(True):
        found = reference_jax.dpo_loss(*map(jax.numpy.asarray, LOGPS), 0.5, eps)
        assert np.asarray(found) == pytest.approx(exact, rel=1e-15, abs=0)


@pytest.mark.no_cover
def test_jax_twice_forward_and_under_scan():
    with jax.enable_x64(True):
        zero = jax.numpy.zeros(())

        def loss(pc):
            return reference_jax.dpo_loss(pc, zero, zero, zero, 1.0)

        for z in (40.0, -3.0):
            exact = float(oracle.second_derivative(z, 0, 0, 0, beta=1))
            assert float(jax.grad(jax.grad(loss))(z)) == pytest.approx(exact, rel=1e-14, abs=0)
            assert float(jax.hessian(loss)(z)) == pytest.approx(exact, rel=1e-14, abs=0)
        points = jax.numpy.linspace(-3.0, 3.0, 5)
        _, scanned = jax.lax.scan(lambda carry, x: (carry, jax.grad(loss)(x)), None, points)
        assert np.array_equal(scanned, jax.jit(jax.vmap(jax.grad(loss)))(points))


@pytest.mark.parametrize("module", [reference, reference_jax])
def test_what_is_refused(module):
    with pytest.raises(ValueError, match="label_smoothing = -1"):
        module.dpo_loss(*LOGPS, label_smoothing=-1)
    with pytest.raises(ValueError, match="reduction = 'x'"):
        module.dpo_loss(*LOGPS, reduction="x")
    with pytest.raises(ValueError, match="of one shape"):
        module.dpo_loss(*LOGPS[:3], LOGPS[3][:1])


@pytest.mark.parametrize("dtype", [np.longdouble, object, "U8", np.complex128, np.int64])
def test_what_numpy_does_not_hold_as_floats_is_refused(dtype):
    with pytest.raises(ValueError, match="floating-point numbers of 64 bits at the most"):
        reference.dpo_loss(*[np.zeros(2).astype(dtype)] * 4)
