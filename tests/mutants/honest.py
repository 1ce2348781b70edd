"""Correct implementations that look different: none of them may be found to violate a MUST."""

from __future__ import annotations

from . import honest_calls, honest_models, honest_numpy, honest_torch, refusals, second
from .kinds import Honest

HONEST: tuple[Honest, ...] = (
    *honest_torch.HONEST,
    *honest_numpy.HONEST,
    *honest_models.HONEST,
    *honest_calls.HONEST,
    *second.HONEST,
    *refusals.HONEST,
)
