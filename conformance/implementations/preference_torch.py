"""Losses as plain functions of torch tensors; derivatives come from autograd."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.errors import Misbehaviour
from conformance.implementations.preference import LossAnswer, LossClaims, call, is_length, lengths_of, shape_of
from conformance.implementations.results import called, check_dtype, check_shape, versions
from conformance.inputs.losses import LossBatch
from oracle import Format
from oracle.formats import Floats
from oracle.losses import Loss

DTYPES = {
    "binary16": torch.float16,
    "bfloat16": torch.bfloat16,
    "binary32": torch.float32,
    "binary64": torch.float64,
}
_PRECISIONS = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}


class TorchFramework:
    """PyTorch on a device."""

    def __init__(self, device: str, library: str | None) -> None:
        self._device, self._library = torch.device(device), library

    @property
    def environment(self) -> Mapping[str, str]:
        """The library's version and torch's, and the device."""
        return versions(self._library, torch=torch.__version__) | {"device": str(self._device)}

    def unavailable(self) -> str | None:
        """Why the device cannot be used here."""
        try:
            torch.zeros(1, device=self._device).cpu()
        except (RuntimeError, AssertionError, ImportError):
            return f"no {self._device.type.upper()} device"
        return None

    def surroundings(self) -> Mapping[str, str]:
        """Torch's default dtype, gradient mode, and the state of its global generator."""
        return {
            "default dtype": str(torch.get_default_dtype()),
            "gradient mode": str(torch.is_grad_enabled()),
            "random": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
        }

    weighs, compiles_each_size = True, False

    def evaluate(
        self,
        function: Callable[..., Any],
        batch: LossBatch,
        fmt: Format,
        loss: Loss,
        claims: LossClaims,
        *,
        gradient: bool,
        weights: Floats | None = None,
    ) -> LossAnswer:
        """The function's losses, and autograd's derivatives of their sum, each times its weight."""
        tensors = {name: self._tensor(name, row, fmt, gradient) for name, row in batch.rows.items()}
        before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        losses = call(function, batch, tensors)
        shape = shape_of(loss, claims, len(batch), tuple(getattr(losses, "shape", ())))
        values, dtype = self._read("losses", losses, shape, fmt)
        weighed = losses if weights is None else losses * torch.as_tensor(weights[: math.prod(shape)].reshape(shape)).to(losses)
        found = self._derivatives(weighed, tensors, loss, fmt, len(batch)) if gradient else None
        wrote = tuple(
            n for n, tensor in tensors.items() if not torch.equal(tensor.detach().nan_to_num(7), before[n].nan_to_num(7))
        )
        return LossAnswer(values, found, dtype, wrote)

    def _tensor(self, name: str, row: Floats, fmt: Format, gradient: bool) -> Tensor:
        if is_length(name):
            return torch.from_numpy(lengths_of(row)).to(self._device)
        patterns = fmt.encode(row).view(f"i{fmt.width // 8}").copy()
        return torch.from_numpy(patterns).view(DTYPES[fmt.name]).to(self._device).detach().requires_grad_(gradient)

    def _derivatives(
        self, losses: Tensor, tensors: Mapping[str, Tensor], loss: Loss, fmt: Format, n: int
    ) -> dict[str, Floats | None]:
        if not losses.requires_grad:
            return dict.fromkeys(loss.logps)
        asked = [tensors[name] for name in loss.logps]
        grad = functools.partial(torch.autograd.grad, allow_unused=True)
        parts = called(grad, losses.sum(), asked)
        return {
            name: None if part is None else self._read(f"d loss / d {name}", part, (n,), fmt)[0]
            for name, part in zip(loss.logps, parts, strict=True)
        }

    def _read(self, what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
        if not isinstance(result, torch.Tensor):
            raise Misbehaviour("wrong type", f"{what}: a {type(result).__name__} where a tensor was promised")
        check_shape(what, tuple(result.shape), shape)
        check_dtype(what, str(result.dtype), _PRECISIONS.get(result.dtype), fmt)
        values: Floats = np.array(result.detach().to("cpu", torch.float64).numpy())
        return values, str(result.dtype).removeprefix("torch.")
