"""Public reports on logits, masks, steps, fused heads and metrics: each caught by a MUST, in words that lead to the cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.implementations import torch_sequence
from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Verdict
from conformance.running.trying import check
from oracle import get_format

from .campaign import MUTANTS
from .kinds import cleaned, summed

BY_NAME = {entry.name: entry for entry in MUTANTS}


def _sixteen_lse(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """google-deepmind/optax#1020: the log-normaliser is rounded to bfloat16."""
    clean, targets = cleaned(logits, labels, mask)
    lse = torch.logsumexp(clean, -1).bfloat16().to(clean.dtype)
    return torch.where(mask, clean.gather(-1, targets[..., None])[..., 0] - lse, 0).sum(-1)


def _saturating(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """pytorch/executorch#20089: a bfloat16 sum that sticks at 256 equal terms."""
    clean, targets = cleaned(logits, labels, mask)
    each = (clean - clean.max(-1, keepdim=True).values).exp()
    total = each.sum(-1).clamp(max=256)
    return torch.where(
        mask, (clean - clean.max(-1, keepdim=True).values).gather(-1, targets[..., None])[..., 0] - total.log(), 0
    ).sum(-1)


def _without_end(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """NVIDIA-NeMo/Megatron-Bridge#4660: what equals the pad id, the end token, is masked."""
    return summed(logits, labels, mask & (mask.flip(1).cumsum(1).flip(1) > 1))


def _named(name: str) -> Callable[[], Any]:
    return BY_NAME[name].build


def _made(function: Any, **claims: Any) -> Callable[[], Any]:
    return lambda: torch_sequence(function, accumulates="float32", **claims)


REPORTS = [
    ("linkedin/Liger-Kernel#481", "PATH-2", _named("path-negated"), "minus the loss"),
    ("linkedin/Liger-Kernel 0.5.0: reference", "PATH-2", _named("path-own-reference"), "ln 2 throughout"),
    ("jingyaogong/minimind#451", "PATH-2", _named("path-token-mean"), "means over tokens"),
    ("huggingface/diffusers#6702", "PATH-2", _named("path-mean-inside"), "the loss of the mean logit"),
    ("allenai/open-instruct#1868", "PATH-2", _named("path-other-reference"), "exchanged between pairs"),
    ("hiyouga/LlamaFactory#10779", "PATH-3", _named("path-dropout"), "policy = reference"),
    ("modelscope/ms-swift#10144", "STEP-2", _named("step-mean-of-means"), "the mean of the parts' means"),
    ("NVIDIA-NeMo/RL#212", "STEP-4", _named("step-counts-empty"), "empty part counted"),
    (
        "deepspeedai/DeepSpeed#6841",
        "STEP-3",
        _named("step-gradient-ranks-twice"),
        "times what it should be, as all",
    ),
    ("ByteDance-Seed/VeOmni#1130", "STEP-5", _named("step-metrics-added"), "the sum of the parts' means"),
    ("hiyouga/LlamaFactory#6050", "STEP-5", _named("step-metrics-swapped"), "logps/chosen is that of logps/rejected"),
    ("junkangwu/beta-DPO#1", "STEP-5", _named("step-rewards-other-beta"), "that of β = 0.1"),
    ("huggingface/trl#6879", "ADDED-1", _named("count-plus-one"), "divided by one token more"),
    ("huggingface/trl#6548", "PATH-11", _named("path-empty-poisons"), "a response of no token"),
    ("linkedin/Liger-Kernel#968", "PATH-13", _named("path-ignores-incoming"), "d loss / d logits"),
    ("linkedin/Liger-Kernel#968: of log-probabilities", "SLOPE-6", _named("ignores-incoming"), "its incoming derivative"),
    ("microsoft/DirectML#740", "SLOPE-1", _named("no-graph"), "d logp / d logits"),
    ("NVIDIA-NeMo/Megatron-Bridge#4660", "ADDED-3", _made(_without_end), "without each sequence's last token"),
    ("verl-project/verl#6475", "ADDED-2", _named("rolls-mask"), "the next one's first token"),
    ("google-deepmind/optax#1020", "LOGP-3", _made(_sixteen_lse), "nats off"),
    ("pytorch/executorch#20089", "LOGP-3", _made(_saturating), "flat: 1 x 2 tokens, 512 columns"),
]


@pytest.mark.parametrize(("report", "clause", "build", "told"), REPORTS, ids=[report for report, *_ in REPORTS])
def test_a_report_is_caught_and_its_cause_told(report: str, clause: str, build: Callable[[], Any], told: str) -> None:
    judge = find(clause)
    seen = check(judge, Trial(build(), get_format("binary32"), get_profile("quick"), 0))
    assert judge.level is Level.MUST
    assert seen.verdict is Verdict.VIOLATES
    assert told in seen.note
