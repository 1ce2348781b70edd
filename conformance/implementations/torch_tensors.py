"""Numbers of a format into tensors, bit by bit, and what was returned out of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conformance.errors import Misbehaviour
from conformance.implementations.protocol import Stored
from conformance.implementations.results import check_dtype, check_shape
from conformance.inputs.batch import NAMES, Batch
from oracle import Format
from oracle.formats import Floats

Signed = NDArray[np.signedinteger[Any]]

DTYPES = {
    "binary16": torch.float16,
    "bfloat16": torch.bfloat16,
    "binary32": torch.float32,
    "binary64": torch.float64,
}
"""The torch dtype of each format."""
_SIGNED = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_PRECISIONS = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}


def encoded(batch: Batch, fmt: Format) -> tuple[Signed, ...]:
    """The bit patterns of the four logps, as the signed integers that torch knows."""
    return tuple(fmt.encode(values).view(f"i{fmt.width // 8}") for values in batch.logps)


def leaves(
    bits: tuple[Signed, ...], fmt: Format, device: torch.device, *, gradient: bool, strided: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Leaf tensors of those patterns on the device; with stride 2 if asked for.

    Copies: what is done to a tensor does not reach the patterns it was made from.
    """
    step = 2 if strided else 1
    pc, pr, rc, rr = (
        torch.from_numpy(np.repeat(patterns, 2) if strided else patterns.copy())
        .view(DTYPES[fmt.name])
        .to(device)[::step]
        .detach()
        .requires_grad_(gradient)
        for patterns in bits
    )
    return pc, pr, rc, rr


def checked(what: str, result: object, shape: tuple[int, ...], fmt: Format, device: torch.device) -> Tensor:
    """What was returned, without its derivatives. Raises Misbehaviour unless it is the tensor that was promised."""
    if not isinstance(result, torch.Tensor):
        raise Misbehaviour("wrong type", f"{what}: a {type(result).__name__} where a tensor was promised")
    if result.device.type != device.type:
        raise Misbehaviour("wrong device", f"{what}: on {result.device}, where the inputs are on {device}")
    if result.layout is not torch.strided:
        raise Misbehaviour("wrong type", f"{what}: a {str(result.layout).removeprefix('torch.')} tensor, not a dense one")
    check_shape(what, tuple(result.shape), shape)
    check_dtype(what, str(result.dtype), _PRECISIONS.get(result.dtype), fmt)
    return result.detach()


def widened(tensor: Tensor) -> Floats:
    """A copy of the numbers, exactly, as float64."""
    values: Floats = tensor.to("cpu", torch.float64, copy=True).numpy()
    return values


def stored(tensor: Tensor, *, copy: bool = False) -> Stored:
    """The numbers as they lie in memory, one after the other, where NumPy has the dtype; else as float64."""
    if tensor.dtype not in {torch.float32, torch.float64}:
        return widened(tensor)
    values: Stored = tensor.to("cpu", copy=copy).contiguous().resolve_neg().numpy()
    return values


def written(tensors: tuple[Tensor, ...], bits: tuple[Signed, ...], fmt: Format) -> tuple[str, ...]:
    """The names of the inputs that no longer hold what they were given."""
    return tuple(
        name for name, tensor, patterns in zip(NAMES, tensors, bits, strict=True) if not _holds(tensor.detach(), patterns, fmt)
    )


def _holds(tensor: Tensor, patterns: Signed, fmt: Format) -> bool:
    """True where the tensor still holds those patterns, or at least those numbers: one NaN is as good as another."""
    signed = _SIGNED[patterns.itemsize]
    if tensor.element_size() == patterns.itemsize and np.array_equal(tensor.cpu().view(signed).numpy(), patterns):
        return True
    return _same(tensor.to("cpu", torch.float64).numpy(), fmt.decode(patterns.view(fmt.bits_dtype)))


def _same(a: Floats, b: Floats) -> bool:
    """True where the numbers are the same, -0 told from 0, and NaN stands where NaN stood."""
    return bool(((a == b) & (np.signbit(a) == np.signbit(b)) | np.isnan(a) & np.isnan(b)).all())


def as_bytes(tensor: Tensor) -> Tensor:
    """Its numbers as they lie in memory, whatever its strides: a NaN equals itself."""
    return tensor.contiguous().view(torch.uint8)
