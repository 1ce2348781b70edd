"""Exact reductions over a batch: the mean of Reals, and the metrics that a training loop prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from oracle import dpo
from oracle.arguments import elements
from oracle.errors import OracleError
from oracle.real import Number, Real, total


class EmptyBatch(OracleError):
    """The mean of no numbers was asked for."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Batch metrics: accuracy as a fraction in [0, 1], the others in nats."""

    accuracy: Real
    margin: Real
    chosen_logratio: Real
    rejected_logratio: Real


def mean(numbers: Iterable[Real | Number] | dpo.Reals) -> Real:
    """The exact arithmetic mean of Reals or other numbers (an iterable, or an array of any shape, taken flat).

    Infinities and NaN as in IEEE 754. Raises EmptyBatch, NotANumber, and MixedKinds for losses mixed with gradients.
    """
    items = numbers if isinstance(numbers, Real) or not isinstance(numbers, Iterable) else _listed(numbers)
    flat = [Real.of(number) for number in elements("numbers", items).flat]
    if not flat:
        raise EmptyBatch("the mean of an empty batch is not defined")
    return total(flat) / len(flat)


def _listed(numbers: Iterable[Any]) -> Any:
    return numbers if isinstance(numbers, np.ndarray | str | bytes) else list(numbers)


def metrics(
    policy_chosen_logps: dpo.Values,
    policy_rejected_logps: dpo.Values,
    ref_chosen_logps: dpo.Values,
    ref_rejected_logps: dpo.Values,
    *,
    beta: dpo.Values = 0.1,
    label_smoothing: dpo.Values = 0.0,
) -> Metrics:
    """accuracy = mean of [z > 0], strict: a tie counts as wrong, and so does NaN; the other three are means in nats.

    Source: the metrics of TRL and torchtune, and of the DPO tutorials that follow them. Raises EmptyBatch, and what
    `oracle.dpo` raises.
    """
    arguments = locals()
    logits = np.ravel(np.asarray(dpo.logit(**arguments), dtype=object))
    wins = [Real.rational(1 if _positive(z) else 0) for z in logits]
    return Metrics(
        accuracy=mean(wins),
        margin=mean(dpo.margin(**arguments)),
        chosen_logratio=mean(dpo.chosen_logratio(**arguments)),
        rejected_logratio=mean(dpo.rejected_logratio(**arguments)),
    )


def _positive(z: Real) -> bool:
    return z.special > 0 if z.special is not None else z.sign > 0
