"""What a mutant and an honest implementation are here, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from conformance.implementations import torch_path, torch_sequence, torch_steps
from conformance.records.record import Level

ALL = ("binary16", "bfloat16", "binary32", "binary64")
METRICS = ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberately wrong implementation: what is wrong, how to build it, the least level that must reject it, and where."""

    name: str
    wrong: str
    build: Callable[[], Any]
    level: Level = Level.MUST
    formats: tuple[str, ...] = ALL
    equivalent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Honest:
    """A correct implementation; `why` says how it looks different. slow: it takes seconds to start."""

    name: str
    why: str
    build: Callable[[], Any]
    formats: tuple[str, ...] = ALL
    slow: bool = False


def wide(logits: Tensor) -> Tensor:
    """float32 for what is narrower."""
    return logits if logits.dtype == torch.float64 else logits.float()


def cleaned(logits: Tensor, labels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What does not count replaced before anything is computed of it."""
    return torch.where(mask[..., None], wide(logits), 0), torch.where(mask, labels, 0)


def scored(logits: Tensor, labels: Tensor) -> Tensor:
    """The label's logit minus the log-sum-exp."""
    return logits.gather(-1, labels[..., None])[..., 0] - torch.logsumexp(logits, -1)


def tokens(logits: Tensor, labels: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    """Right: every token's log-probability, 0 where nothing counts."""
    clean, targets = cleaned(logits, labels, mask)
    return torch.where(mask, scored(clean / temperature, targets), 0)


def summed(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Right: the sum over the tokens that count."""
    return tokens(logits, labels, mask).sum(-1)


def sequence(name: str, wrong: str, function: Callable[..., Any], **keywords: Any) -> Mutant:
    """A mutant of a sequence's log-probability; level, formats and equivalent are the mutant's, the rest are claims."""
    own = {key: keywords.pop(key) for key in ("level", "formats", "equivalent") if key in keywords}
    keywords.setdefault("accumulates", "float32")
    return Mutant(name, wrong, lambda: torch_sequence(function, name=name, **keywords), **own)


def path(name: str, wrong: str, function: Callable[..., Any], **keywords: Any) -> Mutant:
    """A mutant of a whole path."""
    own = {key: keywords.pop(key) for key in ("level", "formats", "equivalent") if key in keywords}
    keywords.setdefault("accumulates", "float32")
    return Mutant(name, wrong, lambda: torch_path(function, name=name, **keywords), **own)


def step(name: str, wrong: str, function: Callable[..., Any], **keywords: Any) -> Mutant:
    """A mutant of a step."""
    own = {key: keywords.pop(key) for key in ("level", "formats", "equivalent") if key in keywords}
    keywords.setdefault("metrics", METRICS)
    return Mutant(name, wrong, lambda: torch_steps(function, name=name, **keywords), **own)
