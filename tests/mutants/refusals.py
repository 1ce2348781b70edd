"""Options and inputs refused by an exception: where a refusal is no wrong answer, and where it is used to give none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.implementations.protocol import Implementation
from conformance.inputs.batch import Batch
from oracle import Format

from . import arrays
from .kinds import Honest, Mutant, numpy_honest, numpy_mutant, stateful_mutant, torch_honest, torch_mutant
from .tensors import Loss, stable
from .witnesses import batch_of, logits, pairs
from .witnesses import options as several

_torch = functools.partial(torch_mutant, family="refusals")
_numpy = functools.partial(numpy_mutant, family="refusals", gradient=arrays.gradient)
_stateful = functools.partial(stateful_mutant, family="refusals")
_half, _many = pairs(0.5, 0.5), batch_of(80, beta=0.5, eps=0.75)


def _two_at_beta_0(fmt: Format) -> tuple[Batch, ...]:
    return (pairs(0.0)(fmt)[0].take([0, 1]),)


def _refusing(loss: Callable[..., Any], wrong: Callable[..., Any], kind: type[Exception] = ValueError) -> Callable[..., Any]:
    """The loss, with an exception where the arguments are called wrong."""

    def refused(*given: Any) -> Any:
        if wrong(*given):
            raise kind(f"beta {given[4]} and label_smoothing {given[5]} are not supported")
        return loss(*given)

    return refused


def _if(loss: Loss, wrong: Callable[..., Any]) -> Loss:
    return _refusing(loss, lambda *given: wrong(*given[4:]))


def _turns(wrong: Callable[[int], bool]) -> Callable[[], Loss]:
    """A label smoothing of 1/2 and more is refused in some calls, told by how many there were."""

    def make() -> Loss:
        calls = [0]

        def refuses(beta: float, eps: float) -> bool:
            calls[0] += eps >= 0.5
            return eps >= 0.5 and wrong(calls[0])

        return _if(stable, refuses)

    return make


class _Backward(torch.autograd.Function):  # type: ignore[misc]
    """x itself, that refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> Tensor:
        raise NotImplementedError("no derivatives for label_smoothing from 1/2 on")


def _values_alone(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return _Backward.apply(losses) if eps >= 0.5 else losses  # type: ignore[no-any-return]


def _swallowed(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    try:
        return _if(stable, lambda _, eps: eps > 0.5)(pc, pr, rc, rr, beta, eps)
    except ValueError:
        return stable(pc, pr, rc, rr, beta, 0.5)


def _told_by_nan(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    losses = stable(pc, pr, rc, rr, beta, eps)
    return losses * torch.nan if eps >= 0.5 else losses


MUTANTS: tuple[Mutant, ...] = (
    _torch(
        "refuses-0.3",
        wrong="A label smoothing above 1/4 is refused.",
        function=_if(stable, lambda _, eps: eps > 0.25),
        witness=several,
    ),
    _torch(
        "refuses-all-smoothing",
        wrong="Label smoothing is claimed and refused.",
        function=_if(stable, lambda _, eps: eps > 0),
        witness=several,
    ),
    _torch(
        "refuses-beta-above-1",
        wrong="A beta above 1 is refused.",
        function=_if(stable, lambda beta, _: beta > 1),
        witness=pairs(2.0),
    ),
    _torch(
        "refuses-beta-below-0.02",
        wrong="A beta below 0.02 is refused.",
        function=_if(stable, lambda beta, _: 0 < beta < 0.02),
        witness=pairs(0.01),
    ),
    _numpy(
        "refuses-smoothing-of-large-beta",
        wrong="Label smoothing is refused beside a beta above 3.",
        function=_if(arrays.stable, lambda beta, eps: beta > 3 and eps > 0),
        witness=pairs(4.0, 0.25),
    ),
    _numpy(
        "refuses-large-logits",
        wrong="A logit beyond 100 is refused.",
        function=_refusing(arrays.stable, lambda *x: (np.abs(x[4] * arrays.margin(*x[:4])) > 100).any()),
        witness=logits(128.0, 1.0),
    ),
    _numpy(
        "refuses-lost-pairs",
        wrong="A batch whose pairs are all lost is refused.",
        function=_refusing(arrays.stable, lambda *x: len(x[0]) > 0 and (x[4] * arrays.margin(*x[:4]) < 0).all()),
        witness=logits(-1.0, -2.0),
    ),
    _numpy(
        "refuses-one-pair",
        wrong="A batch of one pair is refused.",
        function=_refusing(arrays.stable, lambda *x: len(x[0]) == 1),
        witness=logits(1.0),
    ),
    _numpy(
        "refuses-odd-batches",
        wrong="An odd number of pairs is refused.",
        function=_refusing(arrays.stable, lambda *x: len(x[0]) % 2),
        witness=logits(1.0, 2.0, -1.0),
    ),
    _stateful(
        "refuses-half-in-turn",
        wrong="Every second call with a label smoothing from 1/2 on is refused.",
        make=_turns(lambda n: n % 2 == 0),
        witness=lambda fmt: (*_half(fmt), *_half(fmt)),
    ),
    _stateful(
        "refuses-half-at-first",
        wrong="The first call with a label smoothing from 1/2 on is refused, as a warning.",
        make=_turns(lambda n: n == 1),
        witness=_half,
    ),
    _torch(
        "refuses-half-of-many",
        wrong="A label smoothing from 1/2 on is refused for more than 64 pairs.",
        function=_refusing(stable, lambda *x: x[5] >= 0.5 and len(x[0]) > 64),
        witness=_many,
    ),
    _torch(
        "refuses-half-of-few",
        wrong="A label smoothing from 1/2 on is refused for up to 64 pairs.",
        function=_refusing(stable, lambda *x: x[5] >= 0.5 and len(x[0]) <= 64),
        witness=_half,
    ),
    _torch(
        "refuses-half-without-derivatives",
        wrong="A label smoothing from 1/2 on is refused where no derivative is asked for.",
        function=_refusing(stable, lambda *x: x[5] >= 0.5 and not x[0].requires_grad),
        witness=_half,
    ),
    _torch(
        "refuses-half-in-derivatives",
        wrong="From 1/2 on the loss is given, and its derivatives are refused.",
        function=_values_alone,
        witness=_half,
    ),
    _torch(
        "refuses-half-and-goes-on",
        wrong="The refusal of what is above 1/2 is caught, and 1/2 taken.",
        function=_swallowed,
        witness=pairs(0.5, 0.75),
    ),
    _torch("refuses-half-by-nan", wrong="From 1/2 on the losses are NaN.", function=_told_by_nan, witness=_half),
    _torch(
        "refuses-beta-0-of-few",
        wrong="A beta of 0 is refused for fewer than four pairs.",
        function=_refusing(stable, lambda *x: x[4] == 0 and len(x[0]) < 4),
        witness=_two_at_beta_0,
    ),
)


# -- refusals that are no wrong answer ---------------------------------------------------------------------------------------


def _as_libraries_do(beta: float, eps: float) -> bool:
    return eps >= 0.5 or beta <= 0


def _out_of_range(beta: float, eps: float) -> bool:
    return eps > 0.5 or 0 < eps < 1e-3 or not 1e-3 <= beta <= 1e3


def _not_finite(*given: Any) -> bool:
    """What a careful function of arrays asserts: finite log-probabilities of which none is positive, and at least one pair."""
    return len(given[0]) == 0 or not all(np.isfinite(x).all() and (x <= 0).all() for x in given[:4])


def _mean(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc, rr, beta, eps).mean()


def _jax_refusing() -> Implementation:
    import jax  # noqa: PLC0415

    from conformance.implementations.jax import jax_implementation  # noqa: PLC0415

    def loss(pc: Any, pr: Any, rc: Any, rr: Any, beta: float, eps: float) -> Any:
        if not (beta > 0 and 0 <= eps < 0.5):
            raise NotImplementedError("not in this version")
        z = beta * ((pc - rc) - (pr - rr))
        losses = -jax.nn.log_sigmoid(z)
        return losses if eps == 0 else (1 - eps) * losses - eps * jax.nn.log_sigmoid(-z)

    return jax_implementation(loss, name="jax-refuses-half", subnormals="flush")


def _refusal(option: Callable[[float, float], bool]) -> Callable[[Batch], bool]:
    return lambda batch: option(batch.beta, batch.label_smoothing)


def _no_finite(batch: Batch) -> bool:
    return _not_finite(*batch.logps)


HONEST: tuple[Honest, ...] = (
    torch_honest(
        "torch-refuses-half",
        "a label smoothing of 1/2 and a beta of 0 are assertions",
        _refusing(stable, lambda *x: _as_libraries_do(*x[4:]), AssertionError),
        refuses=_refusal(_as_libraries_do),
    ),
    torch_honest(
        "torch-mean-refuses-half",
        "the same of a mean",
        _refusing(_mean, lambda *x: _as_libraries_do(*x[4:]), NotImplementedError),
        reduction="mean",
        refuses=_refusal(_as_libraries_do),
    ),
    torch_honest(
        "torch-refuses-out-of-range",
        "what is above 1/2, tiny or huge is a ValueError",
        _if(stable, _out_of_range),
        refuses=_refusal(_out_of_range),
    ),
    numpy_honest(
        "numpy-refuses-half",
        "a label smoothing of 1/2 and a beta of 0 are ValueErrors",
        _if(arrays.stable, _as_libraries_do),
        gradient=arrays.gradient,
        refuses=_refusal(_as_libraries_do),
    ),
    numpy_honest(
        "numpy-refuses-not-finite",
        "log-probabilities that are not finite or positive, and empty batches, are assertions",
        _refusing(arrays.stable, _not_finite, AssertionError),
        gradient=arrays.gradient,
        refuses=_no_finite,
    ),
    Honest("jax-refuses-half", "the same by NotImplementedError", _jax_refusing, slow=True, refuses=_refusal(_as_libraries_do)),
)
