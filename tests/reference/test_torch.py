"""The PyTorch reference in every way that torch differentiates, and at every 16-bit pattern."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils.checkpoint import checkpoint

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


@pytest.mark.parametrize(("eps", "reduction"), [(0.0, "none"), (0.1, "mean"), (1.0, "sum")])
def test_first_and_second_derivatives_in_every_mode(eps, reduction):
    logps = [x.requires_grad_() for x in pairs(3)]

    def loss(*logps):
        return dpo_loss(*logps, 0.7, eps, reduction)

    assert gradcheck(loss, logps, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)
    assert gradgradcheck(loss, logps, check_fwd_over_rev=True, check_batched_grad=True)
    for alone in range(4):
        assert gradgradcheck(loss, [x.detach().requires_grad_(i == alone) for i, x in enumerate(logps)])


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


def ours(reduction, *logps):
    return dpo_loss(*logps, 0.3, 0.1, reduction)


def plain(reduction, *logps):
    """What autograd differentiates by itself, of digits enough at these logits."""
    pc, pr, rc, rr = logps
    z = 0.3 * ((pc - rc) - (pr - rr))
    losses = 0.9 * F.softplus(-z) + 0.1 * F.softplus(z)
    return losses if reduction == "none" else getattr(losses, reduction)()


def total(loss):
    return lambda *logps: loss(*logps).sum()


def along(loss):
    return lambda *logps: jvp(loss, logps, tuple(k * torch.ones_like(x) for k, x in enumerate(logps)))[1]


def checkpointed(loss, *logps):
    leaves = [x.clone().requires_grad_() for x in logps]
    return torch.autograd.grad(checkpoint(loss, *leaves, use_reentrant=False), leaves)


ALL = (0, 1, 2, 3)
WAYS = {
    "jvp": along,
    "grad of jvp": lambda loss: grad(total(along(loss)), ALL),
    "hessian": lambda loss: hessian(loss, ALL),
    "jacrev of jacrev": lambda loss: jacrev(jacrev(loss, ALL), ALL),
    "jacrev of jacfwd": lambda loss: jacrev(jacfwd(loss, ALL), ALL),
    "vmap": vmap,
    "vmap of grad": lambda loss: vmap(grad(total(loss), ALL)),
    "vmap of jvp, some shared": lambda loss: (
        lambda pc, pr, rc, rr: vmap(along(loss), in_dims=(1, None, None, 0))(pc.t(), pr[0], rc[1], rr)
    ),
    "vmap of vmap": lambda loss: vmap(vmap(loss)),
    "vmap of hessian": lambda loss: vmap(hessian(total(loss))),
    "grad of vmap": lambda loss: grad(total(vmap(loss)), ALL),
    "checkpoint": lambda loss: partial(checkpointed, total(loss)),
}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("way", WAYS)
def test_transformed(way, reduction):
    logps = [x.view(2, 3) for x in pairs(6)]
    found, right = (WAYS[way](partial(loss, reduction))(*logps) for loss in (ours, plain))
    torch.testing.assert_close(found, right, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_no_pairs_and_one(dtype, reduction):
    none = [torch.zeros(0, 3, dtype=dtype, requires_grad=True) for _ in range(4)]
    loss = ours(reduction, *none)
    loss.sum().backward()
    assert none[0].grad.shape == (0, 3)
    assert loss.isnan().all()  # the mean of none; and all() of none
    one = [x[0] for x in pairs(1, dtype)]
    assert ours(reduction, *one) == ours("none", *(x[None] for x in one))[0]


def test_a_mean_of_many_in_16_bits_keeps_its_derivatives():
    """1/n itself is subnormal in binary16."""
    logps = [x.requires_grad_() for x in pairs(10**5, torch.float16)]
    ours("mean", *logps).backward()
    slopes = torch.autograd.grad(ours("sum", *logps), logps[0])[0].double()
    assert torch.equal(logps[0].grad, (slopes / 10**5).half())


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


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_compiled_without_a_graph_break(dtype):
    torch.compiler.reset()

    def cast(*logps):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return ours("mean", *logps) + ours("none", *logps)

    compiled = torch.compile(cast, fullgraph=True, backend="aot_eager")
    mine, theirs = ([x.requires_grad_() for x in pairs(5, dtype)] for _ in range(2))
    values = [function(*logps) for function, logps in ((compiled, mine), (cast, theirs))]
    torch.autograd.backward([value.sum() for value in values])
    assert torch.equal(*values)
    assert all(torch.equal(x.grad, y.grad) for x, y in zip(mine, theirs, strict=True))


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("way", ["hessian", "vmap of grad"])
def test_transformed_and_compiled(way):
    torch.compiler.reset()
    logps, function = [x.view(2, 3) for x in pairs(6)], WAYS[way](partial(ours, "mean"))
    torch.testing.assert_close(torch.compile(function, fullgraph=True, backend="aot_eager")(*logps), function(*logps))


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
