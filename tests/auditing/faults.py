"""What goes wrong in runs: each a change of the pairs' numbers, and the losses that it can happen to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .runs import Fault, Run, pair_losses

Parts = dict[str, NDArray[np.float64]]


def _loss(change: Callable[[Run, Parts], NDArray[np.float64]]) -> Fault:
    return lambda run, parts: {**parts, "loss": change(run, parts)}


def _other(**changes: object) -> Fault:
    return _loss(lambda run, parts: pair_losses(replace(run, **changes), parts["z"]))  # type: ignore[arg-type]


def _times(factor: Callable[[Run], float]) -> Fault:
    return _loss(lambda run, parts: parts["loss"] * factor(run))


def _nan(run: Run, parts: Parts) -> Parts:
    loss = parts["loss"].copy()
    loss[loss.shape[0] // 2 :, 0, 0] = np.nan
    return {**parts, "loss": loss}


FAULTS: Mapping[str, tuple[Fault, Callable[[Run], bool]]] = {
    "label smoothing ignored": (_other(eps=0.0), lambda run: run.eps > 0 and run.loss != "simpo"),
    "label smoothing doubled": (
        _loss(lambda run, parts: pair_losses(replace(run, eps=min(2 * run.eps, 0.49)), parts["z"])),
        lambda run: run.eps > 0,
    ),
    "robust for conservative": (_other(loss="robust"), lambda run: run.loss == "cdpo"),
    "conservative for robust": (_other(loss="cdpo"), lambda run: run.loss == "robust"),
    "hinge for sigmoid": (_other(loss="hinge"), lambda run: run.loss in {"sigmoid", "cdpo"}),
    "IPO for sigmoid": (_other(loss="ipo_sum"), lambda run: run.loss == "sigmoid"),
    "multiplied by the micro-batches": (_times(lambda run: run.micro), lambda run: run.micro > 1),
    "divided by the micro-batches": (_times(lambda run: 1 / run.micro), lambda run: run.micro > 1),
    "summed over the pairs": (_times(lambda run: run.pairs), lambda run: run.pairs > 1),
    "in bits": (_times(lambda _: 1 / np.log(2)), lambda _: True),
    "halved": (_times(lambda _: 0.5), lambda _: True),
    "sign flipped": (_times(lambda _: -1.0), lambda _: True),
    "gamma ignored": (_other(gamma=0.0), lambda run: run.loss == "simpo"),
    "beta twice in the loss": (
        _loss(lambda run, parts: pair_losses(run, run.beta * parts["z"])),
        lambda run: run.beta < 1 and run.loss != "ipo_sum",
    ),
    "no reference in the loss": (
        _loss(lambda run, parts: pair_losses(run, run.beta * (parts["logps/chosen"] - parts["logps/rejected"]))),
        lambda _: True,
    ),
    "rewards without beta": (
        lambda run, parts: {**parts, **{k: parts[k] / run.beta for k in ("chosen", "rejected", "margins")}},
        lambda run: run.beta < 1,
    ),
    "chosen and rejected exchanged in the loss": (_loss(lambda run, parts: pair_losses(run, -parts["z"])), lambda _: True),
    "margin is the sum of the rewards": (
        lambda _, parts: {**parts, "margins": parts["chosen"] + parts["rejected"]},
        lambda _: True,
    ),
    "accuracy in percent": (lambda _, parts: {**parts, "accuracies": 100 * parts["accuracies"]}, lambda _: True),
    "accuracy of the rejected": (lambda _, parts: {**parts, "accuracies": 1 - parts["accuracies"]}, lambda _: True),
    "log-probabilities with the wrong sign": (
        lambda _, parts: {**parts, "logps/chosen": -parts["logps/chosen"]},
        lambda _: True,
    ),
    "one pair NaN": (_nan, lambda _: True),
    "margins of the step before": (
        lambda _, parts: {**parts, "margins": np.concatenate([parts["margins"][:1], parts["margins"][:-1]])},
        lambda _: True,
    ),
}
"""Each fault by name, and whether a run can have it."""
