"""The PyTorch reference in every way that torch differentiates, and at every 16-bit pattern."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jvp, vmap

import oracle
from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.implementations import load
from conformance.inputs.profiles import get_profile
from conformance.running.trying import check
from oracle import bfloat16, binary16
from oracle.reference.torch import BLOCK, dpo_loss

# torch.func and gradcheck script helpers of torch's own, which torch deprecates
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
ZERO = torch.zeros((), dtype=torch.float64)


def pairs(n, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [(-20 * torch.rand(n, generator=generator, dtype=torch.float64)).to(dtype) for _ in range(4)]


@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
def test_first_and_second_derivatives_in_every_mode(eps):
    logps = [x.requires_grad_() for x in pairs(3)]

    def loss(*logps):
        return dpo_loss(*logps, 0.7, eps)

    assert gradcheck(loss, logps, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(loss, logps, check_fwd_over_rev=True)


@pytest.mark.parametrize("z", [40.0, -40.0, 3.0, 0.0, 700.0])
def test_the_second_derivative_keeps_its_digits(z):
    def loss(pc):
        return dpo_loss(pc, ZERO, ZERO, ZERO, 1.0)

    point = torch.tensor(z, dtype=torch.float64)
    exact = float(oracle.second_derivative(z, 0, 0, 0, beta=1))
    assert float(hessian(loss)(point)) == pytest.approx(exact, rel=1e-15, abs=0)
    assert float(grad(grad(loss))(point)) == pytest.approx(exact, rel=1e-15, abs=0)
    one = torch.ones_like(point)
    assert float(jvp(grad(loss), (point,), (one,))[1]) == pytest.approx(exact, rel=1e-15, abs=0)
    assert float(grad(lambda x: jvp(loss, (x,), (one,))[1])(point)) == pytest.approx(exact, rel=1e-15, abs=0)


def test_vmap_of_grad_is_grad():
    logps = pairs(5)
    each = vmap(grad(lambda pc, *rest: dpo_loss(pc, *rest, 0.3)))(*logps)
    logps[0].requires_grad_()
    dpo_loss(*logps, 0.3).sum().backward()
    assert torch.equal(each, logps[0].grad)


@pytest.mark.parametrize("clause", ["KERNEL-1", "KERNEL-2"])
@pytest.mark.parametrize("fmt", [binary16, bfloat16], ids=str)
def test_every_16_bit_logit_is_correctly_rounded(fmt, clause):
    finding = check(find(clause), Trial(load("reference-torch"), fmt, get_profile("quick"), 0))
    assert finding.points > 60_000
    assert finding.counts["wrongly rounded"] == 0


@pytest.mark.parametrize("n", [0, 1, BLOCK, 2 * BLOCK + 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_pair_has_the_same_bits_wherever_it_stands(n, dtype):
    whole = pairs(2 * BLOCK + 7, dtype)
    losses = dpo_loss(*whole)
    assert torch.equal(dpo_loss(*(x[:n] for x in whole)), losses[:n])
    assert torch.equal(dpo_loss(*(x.flip(0) for x in whole)).flip(0), losses)


def test_reductions_and_refusals():
    logps = pairs(4, torch.bfloat16)
    each = dpo_loss(*logps)
    assert dpo_loss(*logps, reduction="mean") == each.double().mean().to(torch.bfloat16)
    assert dpo_loss(*logps, reduction="sum") == each.double().sum().to(torch.bfloat16)
    with pytest.raises(ValueError, match=r"label_smoothing = 1\.5"):
        dpo_loss(*logps, label_smoothing=1.5)
    with pytest.raises(ValueError, match="reduction = 'max'"):
        dpo_loss(*logps, reduction="max")
    with pytest.raises(ValueError, match="one shape and dtype"):
        dpo_loss(*logps[:3], logps[3][:2])
    for dtype in (torch.int64, torch.complex64, torch.float8_e4m3fn):
        with pytest.raises(ValueError, match=f"floating-point numbers of 16, 32 or 64 bits, not {dtype}"):
            dpo_loss(*[torch.zeros(2).to(dtype)] * 4)
    with pytest.raises(ValueError, match="on one device"):
        dpo_loss(*logps[:3], logps[3].to("meta"))
    with pytest.raises(ValueError, match="tensors of one shape"):
        dpo_loss(-1.0, -2.0, -1.0, -1.0)
    with pytest.raises(ValueError, match="no derivative is given in them"):
        dpo_loss(*logps, beta=torch.tensor(0.1, requires_grad=True))


def test_tensors_may_lie_as_they_like_in_memory():
    many = [x.reshape(2, BLOCK) for x in pairs(2 * BLOCK, torch.float32)]
    views = [many[0].t().contiguous().t(), many[1], torch.stack([many[2]] * 2, -1)[..., 0], many[3]]
    assert torch.equal(dpo_loss(*views), dpo_loss(*many))
    column = many[0][:, :1].expand(2, BLOCK)
    assert torch.equal(dpo_loss(*[column] * 4), dpo_loss(*[column.contiguous()] * 4))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
def test_compiled_without_a_graph_break():
    torch.compiler.reset()
    compiled = torch.compile(dpo_loss, fullgraph=True, backend="aot_eager")
    ours, theirs = ([x.requires_grad_() for x in pairs(5, torch.bfloat16)] for _ in range(2))
    values = [function(*logps, 0.3, 0.1) for function, logps in ((compiled, ours), (dpo_loss, theirs))]
    torch.autograd.backward([value.sum() for value in values])
    assert torch.equal(*values)
    assert all(torch.equal(x.grad, y.grad) for x, y in zip(ours, theirs, strict=True))


def test_tensors_of_another_device_stay_there():
    logps = [torch.empty(3, device="meta", dtype=torch.bfloat16, requires_grad=True) for _ in range(4)]
    losses = dpo_loss(*logps, 0.3, 0.1)
    (slopes,) = torch.autograd.grad(losses.sum(), logps[1], create_graph=True)
    (curved,) = torch.autograd.grad(slopes.sum(), logps[2])
    for found in (losses, slopes, curved):
        assert (found.device.type, found.dtype, found.shape) == ("meta", torch.bfloat16, (3,))


def test_autocast_leaves_it_alone():
    logps = pairs(4, torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(dpo_loss(*logps), dpo_loss(*logps))
        assert dpo_loss(*logps).dtype == torch.float32
