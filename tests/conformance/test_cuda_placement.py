"""Every tensor stays on the device, shown without one: fake CUDA tensors forwards, shape-only tensors backwards.

A CPU build of torch cannot differentiate fake CUDA tensors, but it can on the meta device, on which, as on CUDA, a tensor
that is made on the CPU stands out.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from conformance import judge
from conformance.errors import Misbehaviour
from conformance.implementations import torch_implementation
from conformance.implementations import torch_spellings as shipped
from conformance.implementations.torch_tensors import DTYPES as OF_FORMATS
from conformance.inputs.pairs import golden
from conformance.records.record import Verdict
from oracle import FORMATS, binary32

DTYPES = pytest.mark.parametrize("dtype", OF_FORMATS.values(), ids=OF_FORMATS)
SMOOTHING = pytest.mark.parametrize("eps", [0.0, 0.3])
without_device = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
on_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Watch(TorchDispatchMode):
    """Notes the devices of every tensor that goes into or comes out of an operation."""

    def __init__(self):
        super().__init__()
        self.devices = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.devices |= {x.device.type for x in tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)}
        return result


def devices_forward(function, dtype, eps):
    """The devices that a call of the function on fake CUDA tensors touches, its results' included."""
    with FakeTensorMode():
        tensors = [torch.empty(5, device="cuda", dtype=dtype) for _ in range(4)]
        with Watch() as watch:
            result = function(*tensors, 0.1, eps)
    values = tree_leaves(result)
    assert values
    assert all(isinstance(value, torch.Tensor) for value in values)
    return watch.devices | {value.device.type for value in values}


def devices_backward(function, dtype, eps):
    """The devices that a call and its derivatives touch, on the meta device."""
    tensors = [torch.empty(5, device="meta", dtype=dtype, requires_grad=True) for _ in range(4)]
    with Watch() as watch:
        parts = torch.autograd.grad(function(*tensors, 0.1, eps).sum(), tensors)
    return watch.devices | {part.device.type for part in parts}


def with_a_number_from_the_cpu(pc, pr, rc, rr, beta, eps):
    """Torch lets a CPU tensor of no dimensions meet CUDA tensors, and synchronises for it."""
    return shipped.CUDA(pc, pr, rc, rr, torch.tensor(beta), eps)


def with_an_array_from_the_cpu(pc, pr, rc, rr, beta, eps):
    return shipped.CUDA(pc, pr, rc, rr, beta, eps) + torch.zeros(5)


def by_way_of_the_cpu(pc, pr, rc, rr, beta, eps):
    return shipped.CUDA(pc.cpu(), pr.cpu(), rc.cpu(), rr.cpu(), beta, eps).to(pc.device)


MUTANTS = pytest.mark.parametrize("mutant", [with_a_number_from_the_cpu, with_an_array_from_the_cpu, by_way_of_the_cpu])


@SMOOTHING
@DTYPES
@pytest.mark.parametrize("function", [shipped.CUDA, shipped.CUDA._metrics, shipped.NAIVE], ids=["loss", "metrics", "naive"])
def test_every_tensor_of_a_call_is_on_the_device(function, dtype, eps):
    assert devices_forward(function, dtype, eps) == {"cuda"}


@SMOOTHING
@DTYPES
def test_every_tensor_of_the_derivatives_is_on_the_device(dtype, eps):
    assert devices_backward(shipped.CUDA, dtype, eps) == {"meta"}


@MUTANTS
def test_a_mutant_that_makes_a_tensor_on_the_cpu_is_seen(mutant):
    try:
        assert "cpu" in devices_forward(mutant, torch.float32, 0.0)
    except RuntimeError as mixed:  # torch itself refuses the array
        assert "cpu" in str(mixed)


@pytest.mark.parametrize("mutant", [with_a_number_from_the_cpu])
def test_a_mutant_that_makes_a_tensor_on_the_cpu_is_seen_backwards(mutant):
    assert "cpu" in devices_backward(mutant, torch.float32, 0.0)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_the_wrapper_puts_the_inputs_on_its_device(fmt, strided, gradient):
    tensors = torch_implementation(shipped.CUDA, device="meta").tensors(golden(), fmt, gradient=gradient, strided=strided)
    for tensor in tensors:
        assert (tensor.device.type, tensor.dtype, tensor.is_leaf) == ("meta", OF_FORMATS[fmt.name], True)
        assert (tensor.stride(), tensor.requires_grad) == ((2 if strided else 1,), gradient)


def test_losses_on_another_device_than_the_inputs_are_no_answer():
    elsewhere = torch_implementation(lambda pc, *_: torch.zeros(len(pc), dtype=pc.dtype), device="meta")
    with pytest.raises(Misbehaviour, match="losses: on cpu, where the inputs are on meta") as error:
        elsewhere.evaluate(golden(), binary32, gradient=False)
    assert error.value.kind == "wrong device"


@without_device
@pytest.mark.parametrize("isolate", [False, True])
def test_without_a_device_nothing_is_judged_and_nothing_passes(isolate):
    record = judge("torch-cuda", isolate=isolate)
    assert [(run.verdict, run.reason, run.findings) for run in record.runs] == [(Verdict.NOT_RUN, "no CUDA device", ())] * 4


@on_device
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_on_a_device_every_must_conforms(fmt):
    (run,) = judge("torch-cuda", dtypes=[fmt], isolate=False).runs
    assert (run.verdict, run.violated) == (Verdict.CONFORMS, ())
    assert run.environment["device name"] == torch.cuda.get_device_name()


@on_device
def test_on_a_device_the_inputs_and_the_losses_are_there():
    devices = []

    @torch_implementation(device="cuda")
    def watched(pc, pr, rc, rr, beta, eps):
        losses = shipped.CUDA(pc, pr, rc, rr, beta, eps)
        devices.extend(x.device.type for x in (pc, pr, rc, rr, losses))
        return losses

    watched.evaluate(golden(), binary32, gradient=True)
    assert set(devices) == {"cuda"}
