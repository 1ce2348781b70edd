"""The other losses: every clause in PyTorch, NumPy and JAX beside PyTorch, limits and refusals."""

import importlib

import numpy as np
import pytest
import torch

from conformance.implementations.reference import losses_numpy as numpys
from conformance.implementations.reference.losses_torch import LOSSES, NAMES
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.runner import run
from oracle import FORMATS, binary64
from oracle.losses import get_loss
from oracle.reference import losses_numpy, losses_torch

LOGPS = np.array([[-3.0, -20.0], [-4.0, -11.0], [-3.5, -19.0], [-3.25, -12.0], [-9.0, -8.0], [-9.5, -8.25]])


def given(name, make):
    """Two pairs of 5 and 7, and 8 and 4 tokens; log-probabilities of the dtype that make gives."""
    inputs = get_loss(name).inputs
    logps = dict(zip([n for n in inputs if n.endswith("logps")], map(make, LOGPS), strict=False))
    lengths = {"chosen_lengths": np.array([5, 7]), "rejected_lengths": np.array([8, 4])}
    return logps | {n: lengths[n] for n in inputs if n in lengths}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.no_cover  # every clause, which other tests cover
def test_no_must_and_no_should_is_violated(name):
    """In binary64, which nothing wider helps; the others: docs/reference.md."""
    found = run(LOSSES[name], binary64, get_profile("quick"), seed=0)
    assert [finding.clause for finding in found.findings if finding.verdict is Verdict.VIOLATES] == []
    assert sum(finding.verdict is Verdict.CONFORMS for finding in found.findings) >= 11


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.no_cover
def test_numpys_violates_none(fmt):
    """One of the ten; the others agree with PyTorch's."""
    found = run(numpys.cpo, fmt, get_profile("quick"), seed=0)
    assert found.verdict is Verdict.CONFORMS


def of_torch(name):
    """PyTorch's losses, and its derivatives in each log-probability."""
    given_ = given(name, lambda x: torch.tensor(x, requires_grad=True))
    given_ = {n: x if isinstance(x, torch.Tensor) else torch.tensor(x) for n, x in given_.items()}
    losses = getattr(losses_torch, name)(**given_)
    losses.sum().backward()
    slopes = {n: torch.zeros(2) if x.grad is None else x.grad for n, x in given_.items() if n.endswith("logps")}
    return losses.detach().numpy(), {n: x.numpy() for n, x in slopes.items()}


@pytest.mark.parametrize("name", NAMES)
def test_numpy_agrees_with_torch_in_value_and_derivative(name):
    losses, slopes = of_torch(name)
    found = getattr(losses_numpy, name)(**given(name, np.asarray))
    assert found.loss == pytest.approx(losses, rel=1e-14, abs=0)
    assert len(found.derivatives) == len(slopes)
    for slope, right in zip(found.derivatives, slopes.values(), strict=True):
        assert slope == pytest.approx(right, rel=1e-12, abs=1e-17)
    narrow = getattr(losses_numpy, name)(**given(name, lambda x: x.astype(np.float16)))
    assert {x.dtype for x in (narrow.loss, *narrow.derivatives)} == {np.dtype(np.float16)}


@pytest.mark.parametrize("name", NAMES)
def test_jax_agrees_with_torch_in_value_and_derivative(name):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    from oracle.reference import losses_jax  # noqa: PLC0415 - it imports JAX

    losses, right = of_torch(name)
    with jax.enable_x64(True):
        theirs = given(name, jax.numpy.asarray)
        logps = [n for n in theirs if n.endswith("logps")]

        def total(logps, others):
            return getattr(losses_jax, name)(**logps, **others).sum()

        value, slopes = jax.jit(jax.value_and_grad(total))(
            {n: theirs[n] for n in logps}, {n: jax.numpy.asarray(x) for n, x in theirs.items() if n not in logps}
        )
    assert float(value) == pytest.approx(losses.sum(), rel=1e-14)
    for n in logps:
        assert np.asarray(slopes[n]) == pytest.approx(right[n], rel=1e-12, abs=1e-17)


def test_without_odds_orpo_is_the_average():
    found = losses_numpy.orpo(*LOGPS[:2], np.array([5, 7]), np.array([8, 4]), odds_weight=0.0)
    assert np.array_equal(found.loss, -LOGPS[0] / [5, 7])
    assert np.array_equal(found.derivatives, [-1 / np.array([5, 7]), [0, 0]])
    assert np.array_equal(losses_numpy.cpo(*LOGPS[:2], label_smoothing=1.0).loss, losses_numpy.cpo(*LOGPS[1::-1]).loss)


@pytest.mark.parametrize("module", ["torch", "numpy", "jax"])
def test_what_is_refused(module):
    losses = pytest.importorskip(f"oracle.reference.losses_{module}")
    x = torch.zeros(2) if module == "torch" else np.zeros(2, np.float32)
    with pytest.raises(ValueError, match=r"in \[0, 1/2\)"):
        losses.robust(x, x, x, x, label_smoothing=0.5)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        losses.cpo(x, x, label_smoothing=-0.1)
    with pytest.raises(ValueError, match="beta = 0"):
        losses.ipo_sum(x, x, x, x, beta=0.0)
    with pytest.raises(ValueError, match="one shape and dtype"):
        losses.hinge(x, x, x, x[:1])
    wrapped = importlib.import_module(f"conformance.implementations.reference.losses_{module}")
    with pytest.raises(AttributeError, match="no loss 'dpo': one of cdpo"):
        wrapped.dpo  # noqa: B018
