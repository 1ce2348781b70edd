"""PyTorch implementations: any plain function of tensors on any device, eager or compiled."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.besides import others
from conformance.implementations.compilation import Compiled, cannot_compile
from conformance.implementations.decorating import decorator
from conformance.implementations.preference import preference
from conformance.implementations.protocol import OPTIONS, Answer, Claims, claims
from conformance.implementations.results import called, check_dtype, check_shape, read_metrics, versions
from conformance.implementations.torch_ways import WAYS, Call, Parts, laid_out
from conformance.implementations.ways import LAYOUTS, Way
from conformance.inputs.batch import NAMES, Batch
from oracle import Format
from oracle.formats import Floats

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Tensor]
Signed = NDArray[np.signedinteger[Any]]
MetricFunction = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Mapping[str, Any]]

DTYPES = {
    "binary16": torch.float16,
    "bfloat16": torch.bfloat16,
    "binary32": torch.float32,
    "binary64": torch.float64,
}
"""The torch dtype of each format."""
_SIGNED = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_PRECISIONS = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}


class TorchImplementation:
    """A plain torch function behind the suite's interface; derivatives come from autograd."""

    def __init__(
        self,
        function: Loss,
        name: str,
        claimed: Claims,
        device: str,
        compiled: bool,
        metrics: MetricFunction | None,
        library: str | None = None,
    ) -> None:
        self.name = name
        self.claims = claimed
        self.library = library
        self.device = torch.device(device)
        self._plain = function
        self._function = Compiled(function) if compiled else function
        self._metrics = metrics
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> Tensor:
        """The plain function itself."""
        return self._plain(*arguments, **keywords)

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and torch's, the device and its name, and the number of threads."""
        facts = versions(self.library, torch=torch.__version__)
        facts |= {"device": str(self.device), "threads": str(torch.get_num_threads())}
        if self.device.type == "cuda" and torch.cuda.is_available():
            facts["device name"] = torch.cuda.get_device_name(self.device)
            facts["cuda"] = str(torch.version.cuda)
        return facts

    def unavailable(self) -> str | None:
        """Why the device, or torch.compile on it, cannot be used here; None if it can."""
        if self.device.type == "cuda":
            if not torch.cuda.is_available():
                return "no CUDA device"
            if (self.device.index or 0) >= torch.cuda.device_count():
                return f"no CUDA device {self.device.index}: there are {torch.cuda.device_count()}"
        elif self.device.type != "cpu":
            try:
                torch.zeros(1, device=self.device).cpu()
            except (RuntimeError, AssertionError, ImportError):
                return f"no {self.device.type.upper()} device"
        return cannot_compile(str(self.device)) if isinstance(self._function, Compiled) else None

    def surroundings(self) -> dict[str, str]:
        """Torch's default dtype, threads, gradient mode, determinism, and the state of its global generator."""
        return {
            "default dtype": str(torch.get_default_dtype()),
            "threads": str(torch.get_num_threads()),
            "gradient mode": str(torch.is_grad_enabled()),
            "deterministic algorithms": str(torch.are_deterministic_algorithms_enabled()),
            "random": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        }

    def evaluate(self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False) -> Answer:
        """The function's losses, and autograd's derivatives of their sum in each of the four logps."""
        return self._answer(batch, fmt, gradient=gradient and self.claims.gradient, strided=strided)

    def weighed(self, batch: Batch, fmt: Format, weights: Floats, *, policy_alone: bool = False) -> Answer:
        """The function's losses, and autograd's derivatives of their weighted sum."""
        return self._answer(batch, fmt, gradient=True, weights=weights, policy_alone=policy_alone)

    @property
    def ways(self) -> frozenset[Way]:
        """Every way but those of JAX and NumPy alone."""
        return frozenset(WAYS)

    def by_way(self, way: Way, batch: Batch, fmt: Format, *, gradient: bool, weights: Floats | None = None) -> Answer:
        """The function's losses when it is called so, and autograd's derivatives of their weighted sum."""
        asked = self._call(batch, fmt, gradient, weights)
        if way in LAYOUTS:
            asked = replace(asked, logps=laid_out(asked.logps, way))
        besides = tuple(self._call(other, fmt, gradient) for other in others(way, batch, self.claims))
        losses, parts = called(WAYS[way], replace(asked, others=besides))
        values, dtype = self._read("losses", losses, self._shape(batch), fmt)
        return Answer(values, self._read_each(parts, len(batch), fmt) if gradient else None, dtype)

    def _call(self, batch: Batch, fmt: Format, gradient: bool, weights: Floats | None = None) -> Call:
        upstream = np.ones(self._shape(batch)) if weights is None else weights.reshape(self._shape(batch))
        logps, options = self.tensors(batch, fmt, gradient=False), (batch.beta, batch.label_smoothing)
        return Call(self._function, logps, options, torch.tensor(upstream, device=self.device), gradient)

    def _shape(self, batch: Batch) -> tuple[int, ...]:
        """The shape of the losses that it promises."""
        return (len(batch),) if self.claims.reduction == "none" else ()

    def _answer(
        self,
        batch: Batch,
        fmt: Format,
        *,
        gradient: bool,
        strided: bool = False,
        weights: Floats | None = None,
        policy_alone: bool = False,
    ) -> Answer:
        bits = _encoded(batch, fmt)
        tensors = self._on_device(bits, fmt, gradient=gradient, strided=strided)
        if policy_alone:
            for reference in tensors[2:]:
                reference.requires_grad_(False)
        shape = self._shape(batch)
        losses = called(self._function, *tensors, batch.beta, batch.label_smoothing)
        values, dtype = self._read("losses", losses, shape, fmt)
        if weights is not None:
            losses = losses * torch.tensor(weights.reshape(shape), dtype=losses.dtype, device=losses.device)
        derivatives = self._differentiate(losses, tensors, fmt) if gradient else None
        return Answer(values, derivatives, dtype, _written(tensors, bits, batch))

    def metrics(self, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned, as floats."""
        return self._measured(self.tensors(batch, fmt, gradient=False), batch)

    def metrics_by_way(self, way: Way, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned for tensors that lie so."""
        return self._measured(laid_out(self.tensors(batch, fmt, gradient=False), way), batch)

    def _measured(self, tensors: tuple[Tensor, ...], batch: Batch) -> Mapping[str, float]:
        if self._metrics is None:
            raise Misbehaviour("wrong type", "it has no metrics")
        return read_metrics(called(self._metrics, *tensors, batch.beta, batch.label_smoothing))

    def tensors(
        self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four logps as leaf tensors on the device, from their bit patterns; with stride 2 if asked for."""
        return self._on_device(_encoded(batch, fmt), fmt, gradient=gradient, strided=strided)

    def _on_device(
        self, bits: tuple[Signed, ...], fmt: Format, *, gradient: bool, strided: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Copies: what is done to a tensor does not reach the patterns it was made from."""
        step = 2 if strided else 1
        pc, pr, rc, rr = (
            torch.from_numpy(np.repeat(patterns, 2) if strided else patterns.copy())
            .view(DTYPES[fmt.name])
            .to(self.device)[::step]
            .detach()
            .requires_grad_(gradient)
            for patterns in bits
        )
        return pc, pr, rc, rr

    def _differentiate(
        self, losses: Tensor, tensors: tuple[Tensor, ...], fmt: Format
    ) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None]:
        if not losses.requires_grad:
            return None, None, None, None
        asked = [tensor for tensor in tensors if tensor.requires_grad]
        found = iter(called(functools.partial(torch.autograd.grad, allow_unused=True), losses.sum(), asked))
        parts = tuple(next(found) if tensor.requires_grad else None for tensor in tensors)
        return self._read_each(parts, len(tensors[0]), fmt)

    def _read_each(
        self, parts: Parts, pairs: int, fmt: Format
    ) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None]:
        pc, pr, rc, rr = (
            None if part is None else self._read(f"d loss / d {name}", part, (pairs,), fmt)[0]
            for name, part in zip(NAMES, parts, strict=True)
        )
        return pc, pr, rc, rr

    def _read(self, what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
        """A returned tensor as exact float64 values, with its own dtype's name."""
        if not isinstance(result, torch.Tensor):
            raise Misbehaviour("wrong type", f"{what}: a {type(result).__name__} where a tensor was promised")
        if result.device.type != self.device.type:
            raise Misbehaviour("wrong device", f"{what}: on {result.device}, where the inputs are on {self.device}")
        if result.layout is not torch.strided:
            raise Misbehaviour("wrong type", f"{what}: a {str(result.layout).removeprefix('torch.')} tensor, not a dense one")
        check_shape(what, tuple(result.shape), shape)
        check_dtype(what, str(result.dtype), _PRECISIONS.get(result.dtype), fmt)
        values: Floats = result.detach().to("cpu", torch.float64, copy=True).numpy()
        return values, str(result.dtype).removeprefix("torch.")


def _encoded(batch: Batch, fmt: Format) -> tuple[Signed, ...]:
    """The bit patterns of the four logps, as the signed integers that torch knows."""
    return tuple(fmt.encode(values).view(f"i{fmt.width // 8}") for values in batch.logps)


def _written(tensors: tuple[Tensor, ...], bits: tuple[Signed, ...], batch: Batch) -> tuple[str, ...]:
    """The names of the inputs that no longer hold what they were given."""
    return tuple(
        name
        for name, tensor, patterns, given in zip(NAMES, tensors, bits, batch.logps, strict=True)
        if not _holds(tensor.detach(), patterns, given)
    )


def _holds(tensor: Tensor, patterns: Signed, given: Floats) -> bool:
    """True where the tensor still holds those patterns, or at least those numbers: one NaN is as good as another."""
    signed = _SIGNED[patterns.itemsize]
    if tensor.element_size() == patterns.itemsize and np.array_equal(tensor.cpu().view(signed).numpy(), patterns):
        return True
    return _same(tensor.to("cpu", torch.float64).numpy(), given)


def _same(a: Floats, b: Floats) -> bool:
    """True where the numbers are the same, -0 told from 0, and NaN stands where NaN stood."""
    return bool(((a == b) & (np.signbit(a) == np.signbit(b)) | np.isnan(a) & np.isnan(b)).all())


@decorator
def torch_implementation(
    function: Loss,
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    reduction: str = "none",
    options: Collection[str] = OPTIONS,
    loss: str | Collection[str] | None = None,
    subnormals: str | None = None,
    device: str = "cpu",
    compile: bool = False,  # noqa: A002
    gradient: bool = True,
    metrics: MetricFunction | None = None,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> TorchImplementation:
    """A plain function of torch tensors becomes an implementation, as a call or as a decorator.

    function(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, beta, label_smoothing)
    takes four tensors of shape (n,) in the judged dtype on `device` and returns losses of shape (n,), or one number
    with reduction="mean". Derivatives come from autograd; a reference that it detaches is taken as detached. With
    gradient=False none are claimed, asked for or judged.
    metrics(same arguments) returns numbers by name, as protocol.METRICS, protocol.REWARDS or both have it.

    dtypes: the formats it is for (all four by default). options: which of beta and label_smoothing it honours.
    subnormals: "flush" if it is known to replace subnormal results by zero. compile: judge torch.compile of it, and
    never the plain function: where nothing was compiled, that is an error.
    library: the installed distribution that is judged, whose version the record states. notes: by clause, what is
    known of conduct that violates it. Raises BadClaim.

    loss: the name of one of `dpo-conformance list --losses`, of which it is then an implementation, or of several, of which the
    keyword `loss` then tells the function one. It is called by keyword, with what that loss takes: log-probabilities,
    lengths as int64, and the loss's parameters as Python floats.
    """
    claimed = claims(
        dtypes=dtypes,
        reduction=reduction,
        options=options if loss is None else OPTIONS,
        subnormals=subnormals,
        gradient=gradient,
        metrics=metrics is not None,
        notes=notes,
    )
    try:
        torch.device(device)
    except RuntimeError as error:
        raise BadClaim(f"device = {device!r}: {str(error).splitlines()[0]}") from None

    label = name or str(getattr(function, "__name__", "function"))
    if loss is not None:
        from conformance.implementations.preference_torch import TorchFramework  # noqa: PLC0415 - where it is asked for

        made = preference(function, label, claimed, options, loss, TorchFramework(device, library))
        return cast("TorchImplementation", made)  # of another kind, with the members that the suite asks
    return TorchImplementation(function, label, claimed, device, compile, metrics, library)
