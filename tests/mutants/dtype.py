"""Results, options or intermediates in the wrong dtype."""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import WIDE, numpy_mutant, torch_mutant
from .tensors import each, of_arguments, smoothed, stable, then
from .witnesses import batch_of, both, coarse, logits, one, options, pairs

_torch = functools.partial(torch_mutant, family="dtype")
_numpy = functools.partial(numpy_mutant, family="dtype")
NARROWING = {torch.float64: torch.float32, torch.float32: torch.bfloat16}


def _narrower(loss: Tensor) -> Tensor:
    return loss.to(NARROWING.get(loss.dtype, loss.dtype))


def _rounded(value: float, dtype: object) -> float:
    return float(np.asarray(value, dtype=np.float64).astype(dtype))  # type: ignore[call-overload]


def _autocast(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    """One step narrower inside, and back."""
    dtype = NARROWING.get(pc.dtype, pc.dtype)
    return stable(*each(lambda x: x.to(dtype), pc, pr, rc, rr), beta, eps).to(pc.dtype)


def _half_reference(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return stable(pc, pr, rc.bfloat16().to(rc.dtype), rr.bfloat16().to(rr.dtype), beta, eps)


def _numpy_in(dtype: object) -> arrays.Loss:
    def loss(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
        return arrays.stable(pc, pr, rc, rr, beta, eps).astype(dtype)  # type: ignore[no-any-return,call-overload]

    return loss


BFLOAT16_BETA = "bfloat16 rounds beta itself"
INTO_FORMAT = "the format rounds label_smoothing itself, no less coarsely"

MUTANTS = (
    _torch(
        "returns-narrower",
        wrong="binary64 losses come back as binary32, binary32 losses as bfloat16.",
        function=then(_narrower),
        witness=pairs(),
        dtypes=WIDE,
    ),
    _numpy(
        "returns-float16",
        wrong="NumPy losses come back as float16.",
        function=_numpy_in(np.float16),
        witness=pairs(),
        dtypes=WIDE,
    ),
    _torch(
        "returns-float32",
        wrong="Losses come back as binary32, whatever the inputs are.",
        function=then(lambda loss: loss.float()),
        witness=pairs(),
        equivalent={
            "binary16": "a wider result loses nothing",
            "bfloat16": "a wider result loses nothing",
            "binary32": "it is the format itself",
        },
    ),
    _numpy(
        "returns-integers",
        wrong="Losses come back as integers.",
        function=_numpy_in(np.int64),
        witness=pairs(),
    ),
    _torch(
        "returns-truncated",
        wrong="Losses are cut to whole numbers, in the right dtype.",
        function=then(torch.floor),
        witness=pairs(2.0),
    ),
    _numpy(
        "returns-objects",
        wrong="Losses come back as Python objects.",
        function=_numpy_in(object),
        witness=pairs(),
    ),
    _torch(
        "computes-one-step-narrower",
        wrong="binary64 is computed in binary32 and binary32 in bfloat16, and cast back.",
        function=_autocast,
        witness=both(options, batch_of(16, beta=1.0)),
        dtypes=WIDE,
        source="https://github.com/huggingface/trl/pull/7084",
    ),
    _torch(
        "reference-in-bfloat16",
        wrong="The reference log-probabilities were stored in bfloat16.",
        function=_half_reference,
        witness=coarse,
        equivalent={"bfloat16": "the reference is bfloat16 already"},
        source="https://github.com/eric-mitchell/direct-preference-optimization/issues/34",
    ),
    _torch(
        "beta-in-bfloat16",
        wrong="beta is rounded to bfloat16.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, _rounded(beta, ml_dtypes.bfloat16), eps)),
        witness=both(pairs(0.1), one(-2.0, -500.0, -3.0, -2.5, beta=0.05)),
        dtypes=("bfloat16", *WIDE),
        equivalent={"bfloat16": BFLOAT16_BETA},
    ),
    _torch(
        "beta-in-float16",
        wrong="beta is rounded to binary16.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, _rounded(beta, np.float16), eps)),
        witness=both(pairs(0.1), one(-2.0, -500.0, -3.0, -2.5, beta=0.05)),
        dtypes=("binary16", *WIDE),
        equivalent={"binary16": "the format rounds beta itself"},
    ),
    _torch(
        "beta-in-float32",
        wrong="beta is rounded to binary32.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, _rounded(beta, np.float32), eps)),
        witness=pairs(0.1),
        equivalent={
            "binary16": "the format rounds beta more coarsely",
            "bfloat16": "the format rounds beta more coarsely",
            "binary32": "the format rounds beta itself",
        },
    ),
    _torch(
        "label-smoothing-in-float16",
        wrong="label_smoothing is rounded to binary16.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, _rounded(eps, np.float16))),
        witness=both(pairs(2.0, 0.1), pairs(8.0, 0.3), pairs(8.0, 1e-9)),  # in bfloat16 where binary16 has no number left
        equivalent={"binary16": INTO_FORMAT},
    ),
    _torch(
        "label-smoothing-in-bfloat16",
        wrong="label_smoothing is rounded to bfloat16.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, _rounded(eps, ml_dtypes.bfloat16))),
        witness=both(pairs(2.0, 0.1), pairs(8.0, 0.3)),
        dtypes=("bfloat16", *WIDE),
        equivalent={"bfloat16": INTO_FORMAT},
    ),
    _torch(
        "logit-in-integers",
        wrong="The logit is rounded to a whole number.",
        function=lambda pc, pr, rc, rr, beta, eps: smoothed(
            (z := beta * ((pc - rc) - (pr - rr))) + (z.round() - z).detach(), eps
        ),
        witness=logits(0.4375, -0.4375),
    ),
)
