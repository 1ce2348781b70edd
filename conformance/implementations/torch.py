"""PyTorch implementations: any plain function of tensors on any device, eager or compiled."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.besides import others
from conformance.implementations.compilation import Compiled, cannot_compile
from conformance.implementations.decorating import decorator
from conformance.implementations.elsewhere import elsewhere
from conformance.implementations.preference import preference
from conformance.implementations.protocol import OPTIONS, Answer, Claims, Columns, Patterns, claims, is_given
from conformance.implementations.results import called, check_unchanged, read_metrics, versions
from conformance.implementations.torch_tensors import as_bytes, checked, encoded, leaves, stored, widened, written
from conformance.implementations.torch_ways import TWICE, WAYS, Call, Parts, laid_out
from conformance.implementations.ways import LAYOUTS, Twice, Way, alike
from conformance.inputs.batch import NAMES, Batch
from oracle import Format
from oracle.formats import Floats

Loss = Callable[..., Tensor]
MetricFunction = Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Mapping[str, Any]]


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
        return frozenset({*WAYS, Way.ELSEWHERE})

    def by_way(self, way: Way, batch: Batch, fmt: Format, *, gradient: bool, weights: Floats | None = None) -> Answer:
        """The function's losses when it is called so, and autograd's derivatives of their weighted sum."""
        if way is Way.ELSEWHERE:
            return elsewhere(lambda: self.evaluate(batch, fmt, gradient=gradient))
        asked = self._call(batch, fmt, gradient, weights)
        if way in LAYOUTS:
            asked = replace(asked, logps=laid_out(asked.logps, way))
        besides = tuple(self._call(other, fmt, gradient) for other in others(way, batch, self.claims))
        losses, parts = called(WAYS[way], replace(asked, others=besides))
        values, dtype = self._read("losses", losses, self._shape(batch), fmt)
        return Answer(values, self._read_each(parts, len(batch), fmt) if gradient else None, dtype)

    @property
    def twice_by(self) -> frozenset[Twice]:
        """Reverse mode twice, and both mixtures with forward mode."""
        return frozenset(TWICE)

    def twice(self, how: Twice, place: int, batch: Batch, fmt: Format, weights: Floats) -> Answer:
        """The function's losses, and autograd's derivatives of one of its derivatives."""
        losses, parts = called(TWICE[how], self._call(batch, fmt, True, weights), place)
        values, dtype = self._read("losses", losses, self._shape(batch), fmt)
        return Answer(values, self._read_each(parts, len(batch), fmt), dtype)

    def _call(self, batch: Batch, fmt: Format, gradient: bool, weights: Floats | None = None) -> Call:
        upstream = np.ones(self._shape(batch)) if weights is None else weights.reshape(self._shape(batch))
        logps, options = self.tensors(batch, fmt, gradient=False), (batch.beta, batch.label_smoothing)
        weighed = torch.tensor(upstream, device=self.device)
        return Call(self._function, logps, options, weighed, gradient, alike=alike(batch.logps))

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
        bits = encoded(batch, fmt)
        tensors = leaves(bits, fmt, self.device, gradient=gradient, strided=strided)
        if policy_alone:
            for reference in tensors[2:]:
                reference.requires_grad_(False)
        shape = self._shape(batch)
        losses = called(self._function, *tensors, batch.beta, batch.label_smoothing)
        values, dtype = self._read("losses", losses, shape, fmt)
        if weights is not None:
            losses = losses * torch.tensor(weights.reshape(shape), dtype=losses.dtype, device=losses.device)
        derivatives = self._read_each(self._parts(losses, tensors), len(batch), fmt) if gradient else None
        return Answer(values, derivatives, dtype, written(tensors, bits, fmt))

    def at_patterns(self, patterns: Patterns, fmt: Format, *, gradient: bool) -> Columns:
        """As `evaluate` with beta 1, from bit patterns; of the derivatives those in the policy are handed on."""
        bits = tuple(of_one.view(f"i{fmt.width // 8}") for of_one in patterns)
        tensors = leaves(bits, fmt, self.device, gradient=gradient)
        losses = called(self._function, *tensors, 1.0, 0.0)
        kept = stored(checked("losses", losses, bits[0].shape, fmt, self.device), copy=True)
        parts = self._parts(losses, tensors) if gradient else (None,) * 4
        pc, pr, *_ = (
            None if part is None else stored(checked(f"d loss / d {name}", part, bits[0].shape, fmt, self.device))
            for name, part in zip(NAMES, parts, strict=True)
        )
        return Columns(kept, (pc, pr), written(tensors, bits, fmt))

    def metrics(self, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned, as floats."""
        return self._measured(self.tensors(batch, fmt, gradient=False), batch)

    def metrics_by_way(self, way: Way, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """What the metrics function returned for tensors that lie so."""
        return self._measured(laid_out(self.tensors(batch, fmt, gradient=False), way), batch)

    def _measured(self, tensors: tuple[Tensor, ...], batch: Batch) -> Mapping[str, float]:
        if self._metrics is None:
            raise Misbehaviour("wrong type", "it has no metrics")
        before = [tensor.clone() for tensor in tensors]
        found = read_metrics(called(self._metrics, *tensors, batch.beta, batch.label_smoothing))
        check_unchanged([torch.equal(as_bytes(tensor), as_bytes(kept)) for tensor, kept in zip(tensors, before, strict=True)])
        return found

    def tensors(
        self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four logps as leaf tensors on the device, from their bit patterns; with stride 2 if asked for."""
        return leaves(encoded(batch, fmt), fmt, self.device, gradient=gradient, strided=strided)

    def _parts(self, losses: Tensor, tensors: tuple[Tensor, ...]) -> Parts:
        """The derivatives of the sum in those logps that ask for one."""
        if not losses.requires_grad:
            return (None,) * 4
        asked = [tensor for tensor in tensors if tensor.requires_grad]
        found = iter(called(functools.partial(torch.autograd.grad, allow_unused=True), losses.sum(), asked))
        return tuple(next(found) if tensor.requires_grad else None for tensor in tensors)

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
        tensor = checked(what, result, shape, fmt, self.device)
        return widened(tensor), str(tensor.dtype).removeprefix("torch.")


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
    second_derivatives: bool = False,
    accumulation: str | Format | None = None,
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
    known of conduct that violates it. second_derivatives: claim that autograd differentiates it twice. Raises BadClaim.

    loss: the name of one of `dpo-conformance list --losses`, of which it is then an implementation, or of several, of which the
    keyword `loss` then tells the function one; in a mapping the function is told what stands at the name, its own for it.
    It is called by keyword, with what that loss takes: log-probabilities,
    lengths as int64, and the loss's parameters as Python floats.
    """
    claimed = claims(
        dtypes=dtypes,
        reduction=reduction,
        options=options if loss is None else OPTIONS,
        subnormals=subnormals,
        gradient=gradient,
        metrics=is_given("metrics", metrics),
        notes=notes,
        second_derivatives=second_derivatives,
        accumulation=accumulation,
    )
    try:
        torch.device(device)
    except RuntimeError as error:
        raise BadClaim(f"device = {device!r}: {str(error).splitlines()[0]}") from None

    label = name or str(getattr(function, "__name__", "function"))
    if loss is not None:
        if second_derivatives:
            raise BadClaim(f"second_derivatives = True: judged of DPO alone, not of loss = {loss!r}")
        from conformance.implementations.preference_torch import TorchFramework  # noqa: PLC0415 - where it is asked for

        made = preference(function, label, claimed, options, loss, TorchFramework(device, library))
        return cast("TorchImplementation", made)  # of another kind, with the members that the suite asks
    return TorchImplementation(function, label, claimed, device, compile, metrics, library)
