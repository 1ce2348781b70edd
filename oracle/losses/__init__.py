"""Every preference loss, defined once: one file a loss, found by its being here.

A module of this package whose name has no leading underscore and that holds a `LOSS` is a loss. Nothing else has to be
touched to add one; docs/any-loss.md shows it.
"""

from __future__ import annotations

from oracle.losses._evaluate import Derivatives, UnknownInput, gradient, mean, mean_gradient, parameter_derivatives, value
from oracle.losses._model import INPUTS, LENGTHS, LOGPS, Domain, Facts, Loss, Parameter, Wrong
from oracle.losses._registry import LOSSES, UnknownLoss, get_loss

__all__ = [
    "INPUTS",
    "LENGTHS",
    "LOGPS",
    "LOSSES",
    "Derivatives",
    "Domain",
    "Facts",
    "Loss",
    "Parameter",
    "UnknownInput",
    "UnknownLoss",
    "Wrong",
    "get_loss",
    "gradient",
    "mean",
    "mean_gradient",
    "parameter_derivatives",
    "value",
]
