"""What trainers log beside the loss: each metric of each pair, and the size of what it is made of."""

from __future__ import annotations

import numpy as np

from conformance.inputs.batch import Batch
from oracle.formats import Floats

Each = tuple[Floats, Floats]
"""A metric of each pair, and the size of what it is made of."""


def each_of(name: str, batch: Batch, beta: float | None = None) -> Each:
    """A metric of each pair by its name, of those of a step or of a loss; beta: another than that of the call."""
    pc, pr, rc, rr = batch.logps
    beta = batch.beta if beta is None else beta
    beta = beta if name.startswith("rewards/") else 1.0
    chosen, rejected = pc - rc, pr - rr
    sizes = abs(beta) * (np.abs(pc) + np.abs(rc)), abs(beta) * (np.abs(pr) + np.abs(rr))
    match name.rpartition("/")[2]:
        case "accuracies" | "accuracy":
            return (beta * (chosen - rejected) > 0).astype(np.float64), np.ones_like(pc)
        case "margins" | "margin":
            return beta * (chosen - rejected), sizes[0] + sizes[1]
        case "chosen" if name.startswith("logps/"):
            return pc, np.abs(pc)
        case "rejected" if name.startswith("logps/"):
            return pr, np.abs(pr)
        case "chosen" | "chosen_logratio":
            return beta * chosen, sizes[0]
        case _:
            return beta * rejected, sizes[1]
