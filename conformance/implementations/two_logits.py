"""Logits from which log-probabilities come back, for a library that takes no log-probabilities."""

from __future__ import annotations

import torch
from torch import Tensor


def two_logits(token_logps: Tensor) -> Tensor:
    """Logits in binary64, (..., 2), of which the second token has these log-probabilities, to a few units of binary64.

    One of 0 has the other logit -10^4, whose exponential is 0, and no derivative comes back to it.
    """
    wide = token_logps.double()
    below = torch.where(wide == 0, -1, wide)
    other = torch.where(wide == 0, -1e4, torch.log(-torch.expm1(below)) - below)
    return torch.stack([other, torch.zeros_like(other)], -1)


def first_token(logps: Tensor, width: int) -> Tensor:
    """Log-probabilities of that many tokens, (n, width), the first with the whole response's, the others 0."""
    return torch.where(torch.arange(width) == 0, logps[:, None], 0)
