"""Options ignored, applied twice, inverted or confused: the field's largest bug class."""

from __future__ import annotations

import functools
import math

import numpy as np
from torch import Tensor

from . import arrays
from .arrays import Array
from .kinds import numpy_mutant, stateful_mutant, torch_mutant
from .tensors import Loss, of_arguments, of_margin, smoothed, stable
from .witnesses import both, one, options, pairs

_torch = functools.partial(torch_mutant, family="options")
_numpy = functools.partial(numpy_mutant, family="options")


def _on_chosen_only(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return smoothed(beta * (pc - rc) - (pr - rr), eps)


def _on_policy_only(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
    return smoothed(beta * (pc - pr) - (rc - rr), eps)


def _fixed_numpy(pc: Array, pr: Array, rc: Array, rr: Array, beta: float, eps: float) -> Array:
    return arrays.stable(pc, pr, rc, rr, 0.1, eps)


def _remembering(index: int) -> Loss:
    """The first beta (index 0) or label_smoothing (index 1) is kept for ever."""
    first: list[float] = []

    def loss(pc: Tensor, pr: Tensor, rc: Tensor, rr: Tensor, beta: float, eps: float) -> Tensor:
        first.append((beta, eps)[index])
        return stable(pc, pr, rc, rr, *((first[0], eps) if index == 0 else (beta, first[0])))

    return loss


def _floored(option: float, low: float, high: float) -> float:
    return low if low < option < high else option


def _divided(m: Tensor, beta: float, eps: float) -> Tensor:
    return smoothed(m / beta if beta else 0 * m, eps)


MUTANTS = (
    _torch(
        "beta-ignored",
        wrong="beta is accepted and not used.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, 1.0, eps)),
        witness=options,
    ),
    _numpy(
        "beta-always-0.1",
        wrong="The default beta of 0.1, whatever the caller says.",
        function=_fixed_numpy,
        witness=options,
        gradient=lambda pc, pr, rc, rr, beta, eps: arrays.gradient(pc, pr, rc, rr, 0.1, eps),
    ),
    _torch(
        "beta-twice",
        wrong="beta^2: applied to the margin and again to the logit.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta * beta, eps)),
        witness=options,
        source="https://github.com/AI-Hypercomputer/maxtext/pull/1530",
    ),
    _torch(
        "beta-inverse",
        wrong="margin / beta, as if it were a temperature.",
        function=of_margin(_divided),
        witness=options,
        source="https://github.com/linkedin/Liger-Kernel/pull/378",
    ),
    _torch(
        "beta-outside",
        wrong="beta * loss(margin): the loss is scaled instead of the margin.",
        function=of_margin(lambda m, beta, eps: beta * smoothed(m, eps)),
        witness=options,
    ),
    _torch(
        "beta-on-chosen-only",
        wrong="beta * chosen log-ratio - rejected log-ratio: parentheses missing.",
        function=_on_chosen_only,
        witness=options,
    ),
    _torch(
        "beta-on-policy-only",
        wrong="beta * (pc - pr) - (rc - rr): the reference is not scaled.",
        function=_on_policy_only,
        witness=options,
    ),
    _torch(
        "beta-negated",
        wrong="-beta.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, -beta, eps)),
        witness=options,
    ),
    _torch(
        "beta-root",
        wrong="The square root of beta.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, math.sqrt(abs(beta)), eps)),
        witness=options,
    ),
    _torch(
        "beta-at-most-one",
        wrong="beta is clamped to [0.01, 1].",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, min(max(beta, 0.01), 1.0), eps)),
        witness=options,
    ),
    _torch(
        "beta-zero-is-default",
        wrong="`beta or 0.1`: a beta of 0 becomes the default.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta or 0.1, eps)),
        witness=pairs(0.0),
    ),
    _numpy(
        "beta-two-decimals",
        wrong="beta is rounded to two decimals: 0.125 becomes 0.12, 0.001 becomes 0.",
        function=lambda pc, pr, rc, rr, beta, eps: arrays.stable(pc, pr, rc, rr, float(np.round(beta, 2)), eps),
        witness=one(-1.0, -1001.0, -1.0, -1.0, beta=0.001),
    ),
    _numpy(
        "beta-truncated",
        wrong="A beta above 1 is an integer.",
        function=lambda pc, pr, rc, rr, beta, eps: arrays.stable(pc, pr, rc, rr, int(beta) if beta > 1 else beta, eps),
        witness=pairs(1.75),
    ),
    _numpy(
        "gradient-beta-truncated",
        wrong="A beta above 1 is an integer in the derivatives.",
        function=arrays.stable,
        gradient=lambda pc, pr, rc, rr, beta, eps: arrays.gradient(pc, pr, rc, rr, int(beta) if beta > 1 else beta, eps),
        witness=pairs(1.75),
    ),
    _torch(
        "beta-on-a-grid",
        wrong="A beta from 0.05 to 2 is rounded to a multiple of 0.05.",
        function=of_arguments(
            lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, round(beta * 20) / 20 if 0.05 < beta < 2 else beta, eps)
        ),
        witness=one(-1.0, -101.0, -1.0, -1.0, beta=0.07),
    ),
    _torch(
        "beta-from-6-to-25",
        wrong="A beta from 6 to 25 counts as 6.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, _floored(beta, 6, 25), eps)),
        witness=pairs(16.0),
    ),
    _torch(
        "beta-from-40-to-900",
        wrong="A beta from 40 to 900 counts as 40.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, _floored(beta, 40, 900), eps)),
        witness=pairs(64.0),
    ),
    _torch(
        "beta-from-0.0002-to-0.0009",
        wrong="A beta from 0.0002 to 0.0009 counts as 0.0002.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, _floored(beta, 2e-4, 9e-4), eps)),
        witness=one(-1.0, -1001.0, -1.0, -1.0, beta=2.0**-11),
    ),
    _torch(
        "label-smoothing-from-0.75-to-0.95",
        wrong="A label smoothing from 0.75 to 0.95 counts as 0.75.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, _floored(eps, 0.75, 0.95))),
        witness=pairs(4.0, 0.9375),
    ),
    _numpy(
        "gradient-beta-from-4-to-25",
        wrong="A beta from 4 to 25 counts as 4 in the derivatives.",
        function=arrays.stable,
        gradient=lambda pc, pr, rc, rr, beta, eps: arrays.gradient(pc, pr, rc, rr, _floored(beta, 4, 25), eps),
        witness=pairs(16.0),
    ),
    _torch(
        "label-smoothing-on-a-grid",
        wrong="A label smoothing above 0.02 is rounded to a multiple of 0.05.",
        function=of_arguments(
            lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, round(eps * 20) / 20 if eps > 0.02 else eps)
        ),
        witness=one(-1.0, -33.0, -1.0, -1.0, beta=1.0, eps=0.03),
    ),
    stateful_mutant(
        "beta-of-first-call",
        "options",
        "The beta of the first call is kept for ever.",
        functools.partial(_remembering, 0),
        options,
    ),
    stateful_mutant(
        "label-smoothing-of-first-call",
        "options",
        "The label smoothing of the first call is kept for ever.",
        functools.partial(_remembering, 1),
        options,
    ),
    _torch(
        "label-smoothing-ignored",
        wrong="label_smoothing is accepted and not used.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, 0.0)),
        witness=options,
        source="https://github.com/huggingface/trl/pull/3906",
    ),
    _numpy(
        "label-smoothing-ignored-numpy",
        wrong="label_smoothing is accepted and not used, in the value and in the gradient.",
        function=lambda pc, pr, rc, rr, beta, eps: arrays.stable(pc, pr, rc, rr, beta, 0.0),
        witness=options,
        gradient=lambda pc, pr, rc, rr, beta, eps: arrays.gradient(pc, pr, rc, rr, beta, 0.0),
        source="https://github.com/huggingface/trl/issues/7063",
    ),
    _torch(
        "label-smoothing-always-0.1",
        wrong="A label smoothing of 0.1, whatever the caller says.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, beta, 0.1)),
        witness=options,
    ),
    _torch(
        "options-swapped",
        wrong="beta and label_smoothing are passed in each other's place.",
        function=of_arguments(lambda pc, pr, rc, rr, beta, eps: (pc, pr, rc, rr, eps, min(beta, 1.0))),
        witness=both(options, pairs(0.1, 0.3)),
    ),
)
