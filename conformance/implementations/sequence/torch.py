"""PyTorch functions of token logits, of whole paths, and of fused heads; derivatives come from autograd."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.errors import Misbehaviour
from conformance.implementations.compilation import Compiled, cannot_compile
from conformance.implementations.decorating import decorator
from conformance.implementations.results import called, check_dtype, check_shape, versions
from conformance.implementations.sequence.protocol import (
    Inner,
    SequenceAnswer,
    SequenceClaims,
    given,
    promised,
    sequence_claims,
)
from conformance.implementations.torch_tensors import DTYPES
from conformance.inputs.sequences import Rows
from oracle import Format
from oracle.formats import Floats

Function = Callable[..., Any]
PRECISIONS = {torch.float16: 11, torch.bfloat16: 8, torch.float32: 24, torch.float64: 53}


class TorchSequence:
    """A function of logits, labels and mask behind the suite's interface."""

    def __init__(self, function: Function, name: str, claimed: SequenceClaims, compiled: bool, library: str | None) -> None:
        self.name = name
        self.claims = claimed
        self.library = library
        self._plain = function
        self._function = Compiled(function) if compiled else function
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The plain function itself."""
        return self._plain(*arguments, **keywords)

    @property
    def environment(self) -> dict[str, str]:
        """The library's version and torch's, and the number of threads."""
        return versions(self.library, torch=torch.__version__) | {"threads": str(torch.get_num_threads())}

    def unavailable(self) -> str | None:
        """Why torch.compile cannot be used here; None if it can."""
        return cannot_compile("cpu") if isinstance(self._function, Compiled) else None

    def surroundings(self) -> dict[str, str]:
        """Torch's default dtype, threads, gradient mode, and the state of its global generator."""
        return surroundings()

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """The function's numbers, and autograd's derivatives of their sum."""
        logits, labels, mask, keywords = given(rows, self.claims)
        leaf = tensor(logits, fmt, gradient=gradient)
        others = [torch.from_numpy(labels), *([] if mask is None else [torch.from_numpy(mask)])]
        before = [leaf.detach().clone(), *(other.clone() for other in others)]
        inner = leaf * 1 if gradient else leaf  # a model's logits are no leaf: what is done to them in place is allowed
        inner = every_second(inner) if strided else inner
        result = called(functools.partial(self._function, **keywords), inner, *others)
        values, dtype = read("log-probabilities", result, promised(rows, self.claims), fmt)
        slopes = derivatives(result, {"logits": leaf}, fmt, incoming)["logits"] if gradient else None
        return SequenceAnswer(values, slopes, dtype, changed(("logits", "labels", "mask"), before, [inner, *others]))


class TorchHead(TorchSequence):
    """A fused head behind the interface of logits: hidden states are the identity, so that the weights are the logits."""

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """Columns that are -inf throughout come by the bias; the derivatives in the weights are those in the logits."""
        logits, labels, mask, keywords = given(rows, self.claims)
        hidden, weight, offset = headed(logits, fmt, biased=self.claims.infinities)
        leaf = tensor(weight, fmt, strided=strided, gradient=gradient)
        states = tensor(hidden, fmt, gradient=gradient)
        bias = None if offset is None else tensor(offset, fmt, gradient=gradient)
        others = [torch.from_numpy(labels), *([] if mask is None else [torch.from_numpy(mask)])]
        names = ("hidden", "weight", "bias", "labels", "mask")
        parts = (states, leaf, bias, *others)
        tracked = {name: part for name, part in zip(names, parts, strict=False) if part is not None}
        before = [part.detach().clone() for part in tracked.values()]
        result = called(functools.partial(self._function, **keywords), *parts)
        values, dtype = read("log-probabilities", result, promised(rows, self.claims), fmt)
        inner = inner_of(result, weight, (leaf, states, bias), fmt, incoming) if gradient else (None, None)
        slopes = None if inner[0] is None else inner[0].T.reshape(logits.shape)
        return SequenceAnswer(values, slopes, dtype, changed(tuple(tracked), before, list(tracked.values())), inner[1])


def headed(logits: Floats, fmt: Format, *, biased: bool) -> tuple[Floats, Floats, Floats | None]:
    """Hidden states, weights and bias whose product is exactly these logits, whatever their order.

    The hidden states are the identity, NaN at a place whose logits are not finite. biased: columns that are -inf throughout
    come by the bias, and where the difference is exact another column's bias is not 0.
    """
    batch, length, columns = logits.shape
    places = batch * length
    hidden = np.eye(places).reshape(batch, length, places)
    finite = np.isfinite(logits)
    hidden[~(finite | np.isneginf(logits)).all(axis=2)] = np.nan
    weight = np.where(finite, logits, 0.0).reshape(places, columns)
    if not biased or not places:
        return hidden, weight.T, np.zeros(columns) if biased else None
    bias = (np.arange(columns) * 5 % 9 - 4) / 4
    moved = weight - bias
    back = moved - weight
    exact = ((weight - (moved - back)) + (-bias - back) == 0) & (fmt.round_array(moved) == moved)
    usable = (exact & finite.reshape(places, columns)).all(axis=0)
    bias = np.where(np.isneginf(logits).any(axis=(0, 1)), -np.inf, np.where(usable, bias, 0.0))
    return hidden, np.where(usable, moved, weight).T, bias


def inner_of(
    result: Tensor, weight: Floats, leaves: tuple[Tensor, Tensor, Tensor | None], fmt: Format, incoming: Floats | None
) -> tuple[Floats | None, Inner]:
    """The derivatives in a head's weights, and in what it has besides."""
    given = {name: x for name, x in zip(("weight", "hidden states", "bias"), leaves, strict=True) if x is not None}
    found = derivatives(result, given, fmt, incoming)
    return found["weight"], Inner(weight, found["hidden states"], found.get("bias"))


def surroundings() -> dict[str, str]:
    """Torch's default dtype, threads, gradient mode, and the state of its global generator."""
    return {
        "default dtype": str(torch.get_default_dtype()),
        "threads": str(torch.get_num_threads()),
        "gradient mode": str(torch.is_grad_enabled()),
        "random": hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest(),
    }


def tensor(values: Floats, fmt: Format, *, strided: bool = False, gradient: bool = False) -> Tensor:
    """Numbers of the format as a leaf tensor; as every second column of a wider one where strided."""
    floats = torch.from_numpy(np.ascontiguousarray(values)).to(DTYPES[fmt.name])  # exact: they are numbers of the format
    floats = every_second(floats) if strided else floats
    return floats.detach().requires_grad_(gradient)


def every_second(x: Tensor) -> Tensor:
    """The same numbers, as every second column of a wider tensor."""
    return torch.repeat_interleave(x, 2, dim=-1)[..., ::2]


def read(what: str, result: object, shape: tuple[int, ...], fmt: Format) -> tuple[Floats, str]:
    """A returned tensor as exact float64 values, with its own dtype's name. Raises Misbehaviour."""
    if not isinstance(result, torch.Tensor):
        raise Misbehaviour("wrong type", f"{what}: a {type(result).__name__} where a tensor was promised")
    check_shape(what, tuple(result.shape), shape)
    check_dtype(what, str(result.dtype), PRECISIONS.get(result.dtype), fmt)
    values: Floats = result.detach().to(torch.float64).numpy().copy()
    return values, str(result.dtype).removeprefix("torch.")


def derivatives(
    result: Tensor, leaves: Mapping[str, Tensor], fmt: Format, incoming: Floats | None = None
) -> dict[str, Floats | None]:
    """Autograd's derivatives of the sum, or of that with these factors; None where there is no graph. Raises Misbehaviour."""
    if not result.requires_grad:
        return dict.fromkeys(leaves)
    factors = torch.ones_like(result) if incoming is None else torch.from_numpy(np.asarray(incoming)).to(result.dtype)
    total = (result * factors).sum()
    found = called(functools.partial(torch.autograd.grad, allow_unused=True), total, list(leaves.values()))
    return {
        name: None if part is None else read(f"d / d {name}", part, tuple(leaf.shape), fmt)[0]
        for (name, leaf), part in zip(leaves.items(), found, strict=True)
    }


def changed(names: tuple[str, ...], before: list[Tensor], after: list[Tensor]) -> tuple[str, ...]:
    """The names of the inputs that no longer hold what they were given; one NaN is as good as another."""
    return tuple(
        name
        for name, old, new in zip(names, before, after, strict=False)
        if not bool(((old == new.detach()) | (old != old) & (new.detach() != new.detach())).all())  # noqa: PLR0124
    )


@decorator
def torch_sequence(
    function: Function,
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    returns: str = "sequence",
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    options: Collection[str] = (),
    infinities: bool = True,
    gradient: bool = True,
    subnormals: str | None = None,
    compile: bool = False,  # noqa: A002
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> TorchSequence:
    """A function of token logits becomes an implementation, as a call or as a decorator.

    function(logits, labels, mask) takes a (B, T, V) tensor in the judged dtype, (B, T) integers and booleans, and returns B
    log-probabilities of sequences, in nats: the sum over the tokens that the mask keeps.

    returns="token": (B, T) instead, of each label. average: the mean over the tokens. shift: the function itself pairs the
    logits at a place with the next label; it is then given L = T + 1 places. ignore_index: no mask is passed, and labels that
    do not count hold that. accumulates: the format in which it adds up, where that is wider than its result's. options: of
    "temperature" (a keyword `temperature` divides the logits) and "chunk" (`chunk_size`). infinities=False: no logit is -inf.
    gradient=False: no derivatives. compile, library, notes, dtypes, subnormals: as of torch_implementation. Raises BadClaim.
    """
    claimed = sequence_claims(
        dtypes=dtypes, returns=returns, average=average, shift=shift, ignore_index=ignore_index, accumulates=accumulates,
        options=options, infinities=infinities, gradient=gradient, incoming=True, subnormals=subnormals, notes=notes,
    )  # fmt: skip
    return TorchSequence(function, name or str(getattr(function, "__name__", "function")), claimed, compile, library)


@decorator
def torch_head(
    function: Function,
    /,
    *,
    name: str | None = None,
    dtypes: Collection[str | Format] | None = None,
    returns: str = "sequence",
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    options: Collection[str] = (),
    infinities: bool = True,
    gradient: bool = True,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> TorchHead:
    """A fused head becomes an implementation: it multiplies hidden states by the head's weights and never shows the logits.

    function(hidden, weight, bias, labels, mask): (B, T, H), (V, H), (V,) or None, and as torch_sequence. It is fed exactly, by
    hidden states that are the identity and weights that with the bias are the logits. infinities=False: it takes no bias, and
    gets None.
    The other keywords are those of torch_sequence. Raises BadClaim.
    """
    claimed = sequence_claims(
        dtypes=dtypes, returns=returns, average=average, shift=shift, ignore_index=ignore_index, accumulates=accumulates,
        options=options, infinities=infinities, gradient=gradient, incoming=True, head=True, notes=notes,
    )  # fmt: skip
    return TorchHead(function, name or str(getattr(function, "__name__", "function")), claimed, False, library)
