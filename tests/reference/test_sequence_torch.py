"""PyTorch's reference from token logits: every clause, every way to differentiate, and the memory that it takes."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, vmap

from conformance.implementations import load
from conformance.inputs.profiles import get_profile
from conformance.records.record import Verdict
from conformance.running.runner import run
from oracle import FORMATS, sequence
from oracle.reference import sequence_torch
from oracle.reference.sequence_torch import sequence_logps, token_logps

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
LABELS = torch.tensor([[1, 4, 0], [2, -100, 6]])
MASK = torch.tensor([[True, True, False], [True, False, True]])


def logits(dtype=torch.float64):
    return torch.randn(2, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("name", ["SEQUENCE", "PATH"])
def test_no_must_and_no_should_is_violated(name, fmt):
    found = run(load(f"conformance.implementations.reference.sequence_torch:{name}"), fmt, get_profile("quick"), seed=0)
    assert [finding.clause for finding in found.findings if finding.verdict is Verdict.VIOLATES] == []


@pytest.mark.parametrize("options", [{"shift": True}, {"temperature": 0.7, "chunk_size": 4}, {"average": True}])
def test_first_and_second_derivatives_in_every_mode(options):
    def logps(z):
        return sequence_logps(z, LABELS, MASK, **options)

    z = logits().requires_grad_()
    assert gradcheck(logps, z, check_forward_ad=True)
    assert gradgradcheck(logps, z, check_fwd_over_rev=True)


def test_transformed():
    z = logits()

    def one(z, labels, mask):
        return sequence_logps(z[None], labels[None], mask[None])[0]

    leaf = z.clone().requires_grad_()
    sequence_logps(leaf, LABELS, MASK).sum().backward()
    assert torch.allclose(vmap(grad(one))(z, LABELS, MASK), leaf.grad, rtol=1e-13, atol=0)
    shared = vmap(grad(one), in_dims=(0, None, None))(z, LABELS[0], MASK[0])
    assert torch.allclose(shared[0], leaf.grad[0], rtol=1e-13, atol=0)
    for jacobian in (jacrev, jacfwd):
        assert torch.allclose(jacobian(lambda z: sequence_logps(z, LABELS, MASK))(z).sum(0), leaf.grad, rtol=1e-13)
    curved = hessian(lambda z: token_logps(z, LABELS, MASK)[0, 0])(z)[0, 0, :, 0, 0]
    p = torch.softmax(z[0, 0], -1)
    assert torch.allclose(curved, torch.outer(p, p) - torch.diag(p), rtol=1e-12, atol=1e-17)


def test_digits_near_certainty_in_value_and_derivative():
    z = torch.tensor([[60.0, 0.0, 1.0]], requires_grad=True)
    logp = token_logps(z, torch.tensor([0]))
    logp.sum().backward()
    exact = float(sequence.token_logp([60, 0, 1], 0))
    assert logp.item() == pytest.approx(exact, rel=3e-6, abs=0)
    assert z.grad[0, 0].item() == pytest.approx(-math.expm1(exact), rel=3e-6, abs=0)


def test_tiles_of_rows_and_of_columns_change_little(monkeypatch):
    z = logits(torch.float32)
    whole = token_logps(z, LABELS, MASK)
    monkeypatch.setattr(sequence_torch, "TILE", 5)
    assert torch.allclose(token_logps(z, LABELS, MASK), whole, rtol=1e-6, atol=0)
    assert token_logps(z[:, :0], LABELS[:, :0], MASK[:, :0]).shape == (2, 0)


def test_a_label_that_is_no_token_is_nan_in_value_and_derivative():
    z = logits().requires_grad_()
    found = token_logps(z, torch.tensor([[7, 1, 1], [-1, 1, 1]]))
    found.sum().backward()
    assert found.isnan().tolist() == [[True, False, False], [True, False, False]]
    assert z.grad.isnan().all(-1).tolist() == found.isnan().tolist()
    assert grad(lambda z: token_logps(z, torch.tensor([7])).sum())(z.detach()[0, :1]).isnan().all()  # torch.func's way


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_beyond_inputs_and_derivative_is_that_of_the_tokens(dtype, monkeypatch):
    """Counted by torch, not by the clock: no storage of the logits' size but the derivative is ever made."""
    monkeypatch.setattr(sequence_torch, "TILE", 1 << 10)
    z = torch.zeros(1, 64, 512, dtype=dtype, requires_grad=True)
    labels = torch.zeros(1, 64, dtype=torch.int64)
    with torch.profiler.profile(profile_memory=True, record_shapes=False) as seen:
        sequence_logps(z, labels).sum().backward()
    sizes = [event.self_cpu_memory_usage for event in seen.key_averages() if event.self_cpu_memory_usage > 0]
    kept = z.numel() * z.element_size()
    assert sum(size >= kept for size in sizes) == 1  # the derivative
    assert sum(sizes) < 3 * kept


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
def test_compiled_without_a_graph_break():
    torch.compiler.reset()
    compiled = torch.compile(sequence_logps, fullgraph=True, backend="aot_eager")
    for dtype in (torch.float32, torch.bfloat16):
        ours, theirs = (logits(dtype).requires_grad_() for _ in range(2))
        values = compiled(ours, LABELS, MASK), sequence_logps(theirs, LABELS, MASK)
        torch.autograd.backward([value.sum() for value in values])
        assert torch.allclose(*values, rtol=1e-6, atol=0)
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=0)


def test_tensors_of_another_device_stay_there():
    z = torch.empty(2, 3, 7, device="meta", dtype=torch.bfloat16, requires_grad=True)
    labels = torch.zeros(2, 3, dtype=torch.int64, device="meta")
    found = sequence_logps(z, labels)
    (slopes,) = torch.autograd.grad(found.sum(), z)
    assert (found.device.type, found.dtype) == ("meta", torch.float32)
    assert (slopes.device.type, slopes.dtype, slopes.shape) == ("meta", torch.bfloat16, z.shape)


def test_autocast_leaves_it_alone():
    z = logits(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert np.array_equal(sequence_logps(z, LABELS, MASK), sequence_logps(z, LABELS, MASK.clone()))
        assert sequence_logps(z, LABELS, MASK).dtype == torch.float32


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"logits": torch.zeros(2, 3, 7, dtype=torch.int64)}, "floating-point"),
        ({"logits": torch.zeros(2, 3, 7).to(torch.float8_e5m2)}, "floating-point"),
        ({"logits": torch.zeros(7), "labels": torch.tensor(1), "mask": torch.tensor(True), "shift": True}, "floating-point"),
        ({"labels": LABELS.tolist()}, "labels: integers"),
        ({"labels": LABELS[:, :2]}, r"labels \(2, 2\)"),
        ({"labels": LABELS.double()}, "labels: integers"),
        ({"mask": MASK.double()}, "mask: booleans"),
        ({"temperature": 0.0}, r"temperature = 0\.0"),
        ({"chunk_size": 0}, "chunk_size = 0"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        sequence_logps(**{"logits": logits(), "labels": LABELS, "mask": MASK} | given)
