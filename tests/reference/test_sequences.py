"""NumPy's and JAX's references from token logits: every clause, the oracle, PyTorch's, and JAX's transformations."""

import numpy as np
import pytest
import torch

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.implementations import load
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.runner import run
from conformance.running.trying import check
from oracle import FORMATS, get_format, sequence
from oracle.reference import sequence_numpy, sequence_torch

jax = pytest.importorskip("jax", reason="JAX is not installed")

from oracle.reference import sequence_jax  # noqa: E402 - it imports JAX

LABELS = np.array([[1, 4, 0], [2, -100, 6]])
MASK = np.array([[True, True, False], [True, False, True]])
OPTIONS = [{}, {"shift": True}, {"temperature": 0.7, "chunk_size": 4}, {"average": True}]


def logits(dtype=np.float64):
    return np.random.default_rng(0).normal(size=(2, 3, 7)).astype(dtype)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("name", ["SEQUENCE", "PATH"])
def test_no_must_and_no_should_is_violated(name, fmt):
    found = run(load(f"conformance.implementations.reference.sequence_numpy:{name}"), fmt, get_profile("quick"), seed=0)
    assert [finding.clause for finding in found.findings if finding.verdict is Verdict.VIOLATES] == []


@pytest.mark.parametrize("options", OPTIONS)
def test_the_three_agree_in_value_and_derivative(options, monkeypatch):
    monkeypatch.setattr(sequence_numpy, "TILE", 10)
    z, incoming = logits(), np.array([2.0, -0.5])
    z[0, 2] = np.nan  # masked
    leaf = torch.from_numpy(z).requires_grad_()
    values = sequence_torch.sequence_logps(leaf, torch.from_numpy(LABELS), torch.from_numpy(MASK), **options)
    (values * torch.from_numpy(incoming)).sum().backward()
    assert sequence_numpy.sequence_logps(z, LABELS, MASK, **options) == pytest.approx(values.detach().numpy(), rel=1e-14)
    slopes = sequence_numpy.sequence_gradient(z, LABELS, MASK, incoming=incoming, **options)
    assert slopes == pytest.approx(leaf.grad.numpy(), rel=1e-13, abs=1e-17)
    with jax.enable_x64(True):
        found, pull = jax.vjp(lambda z: sequence_jax.sequence_logps(z, LABELS, MASK, **options), jax.numpy.asarray(z))
        assert np.asarray(found) == pytest.approx(values.detach().numpy(), rel=1e-14)
        assert np.asarray(pull(jax.numpy.asarray(incoming))[0]) == pytest.approx(slopes, rel=1e-13, abs=1e-17)


@pytest.mark.parametrize("module", [sequence_numpy, sequence_jax])
def test_digits_near_certainty_blocks_and_labels_that_are_no_tokens(module, monkeypatch):
    z = np.array([[60.0, 0.0, 1.0]], dtype=np.float32)
    assert module.token_logps(z, np.array([0]))[0] == pytest.approx(float(sequence.token_logp([60, 0, 1], 0)), rel=3e-6, abs=0)
    assert np.isnan(module.token_logps(z, np.array([3]))).all()
    assert module.token_logps(z[:0], np.array([], dtype=int)).shape == (0,)
    assert np.isnan(module.sequence_logps(z[None], np.array([[-100]]), average=True)).all()
    wide = np.random.default_rng(1).normal(size=(2, 11)).astype(np.float32)
    whole = np.asarray(module.token_logps(wide, np.array([10, 2])))
    monkeypatch.setattr(module, "BLOCK" if module is sequence_jax else "TILE", 4)
    jax.clear_caches()
    assert np.asarray(module.token_logps(wide, np.array([10, 2]))) == pytest.approx(whole, rel=1e-6)


def test_numpy_derivatives_by_token():
    z = logits()
    by_token = sequence_numpy.token_gradient(z, LABELS, MASK, incoming=np.broadcast_to([[2.0], [-0.5]], (2, 3)))
    assert np.array_equal(by_token, sequence_numpy.sequence_gradient(z, LABELS, MASK, incoming=[2.0, -0.5]))


@pytest.mark.no_cover
def test_jax_twice_mapped_and_scanned():
    z, jnp = logits(), jax.numpy
    with jax.enable_x64(True):

        def one(z, labels):
            return sequence_jax.token_logps(z, labels)[0]

        curved = jax.hessian(one)(jnp.asarray(z[0, :1]), jnp.asarray([1]))[0, :, 0]
        p = np.exp(z[0, 0]) / np.exp(z[0, 0]).sum()
        assert np.asarray(curved) == pytest.approx(np.outer(p, p) - np.diag(p), rel=1e-12, abs=1e-17)
        each = jax.jit(jax.vmap(jax.grad(one)))(jnp.asarray(z[:, :1]), jnp.asarray([[1], [2]]))
        _, scanned = jax.lax.scan(
            lambda carry, x: (carry, jax.grad(one)(*x)), None, (jnp.asarray(z[:, :1]), jnp.asarray([[1], [2]]))
        )
        assert np.asarray(scanned) == pytest.approx(np.asarray(each), rel=1e-14)
        poisoned = jnp.asarray(np.where([[True], [False]], np.nan, z[0, :2]))
        masked = jax.grad(lambda z: sequence_jax.token_logps(z, jnp.asarray([-100, 2])).sum())
        again = jax.grad(lambda z: masked(z)[1, 3])(poisoned)
        assert np.isfinite(np.asarray(masked(poisoned))).all()
        assert np.isfinite(np.asarray(again)).all()


@pytest.mark.parametrize("module", [sequence_numpy, sequence_jax])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"logits": np.zeros((2, 3, 7), dtype=np.int64)}, "floating-point"),
        ({"logits": np.zeros((2, 3, 7), dtype=np.complex64)}, "floating-point"),
        ({"labels": LABELS[:, :2]}, r"labels \(2, 2\)"),
        ({"labels": LABELS.astype(float)}, "labels: integers"),
        ({"mask": MASK.astype(float)}, "mask: booleans"),
        ({"temperature": 0.0}, r"temperature = 0\.0"),
        ({"chunk_size": 0}, "chunk_size = 0"),
    ],
)
def test_what_is_refused(module, given, message):
    with pytest.raises(ValueError, match=message):
        module.sequence_logps(**{"logits": logits(), "labels": LABELS, "mask": MASK} | given)


@pytest.mark.parametrize(
    ("name", "clause"), [("SEQUENCE", "LOGP-1"), ("AVERAGE", "LOGP-1"), ("TOKEN", "LOGP-1"), ("PATH", "PATH-1")]
)
def test_jax_conforms_to_the_first_clause(name, clause):
    judged = load(f"conformance.implementations.reference.sequence_jax:{name}")
    found = check(find(clause), Trial(judged, get_format("binary32"), get_profile("quick"), 0))
    assert found.verdict is Verdict.CONFORMS
