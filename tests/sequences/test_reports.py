"""Public reports on logits, masks, steps, fused heads and metrics: each caught by a MUST, and its first cause the true one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conformance.clauses import EVERY, find
from conformance.implementations import torch_sequence
from conformance.records.record import Level, Verdict
from conformance.reports import causes
from conformance.running.runner import judge

from .campaign import MUTANTS
from .kinds import cleaned, summed
from .preferences import variants

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


def _variant(loss: str, wrong: str) -> Callable[[], Any]:
    return {entry.name: entry for entry in variants(loss)}[f"path-{loss}-{wrong}"].build


def _made(function: Any, **claims: Any) -> Callable[[], Any]:
    return lambda: torch_sequence(function, accumulates="float32", **claims)


REPORTS = [
    ("linkedin/Liger-Kernel#481", "PATH-2", _named("path-negated"), "minus the loss"),
    ("linkedin/Liger-Kernel#481: the reference", "PATH-2", _named("path-own-reference"), "ln 2 throughout"),
    ("jingyaogong/minimind#451", "PATH-2", _named("path-token-mean"), "means over tokens"),
    ("huggingface/diffusers#6702", "PATH-2", _named("path-mean-inside"), "the loss of the mean logit"),
    ("allenai/open-instruct#1868", "PATH-2", _named("path-other-reference"), "exchanged between pairs"),
    ("hiyouga/LlamaFactory#10779", "PATH-3", _named("path-dropout"), "not the same when the same is asked twice"),
    ("modelscope/ms-swift#10144", "STEP-2", _named("step-mean-of-means"), "the mean of the parts' means"),
    ("NVIDIA-NeMo/RL#212", "STEP-4", _named("step-counts-empty"), "the share of the parts that are not empty"),
    (
        "deepspeedai/DeepSpeed#6841",
        "STEP-3",
        _named("step-gradient-ranks-twice"),
        "the mean divided by the number of parts",
    ),
    (
        "ByteDance-Seed/VeOmni#1130",
        "STEP-5",
        _named("step-metrics-added"),
        "at all 60 numbers asked in binary32, the sum of the parts' means",
    ),
    (
        "hiyouga/LlamaFactory#6050",
        "STEP-5",
        _named("step-metrics-swapped"),
        "logps/rejected are, at all 20 numbers asked in binary32, exch",
    ),
    (
        "junkangwu/beta-DPO#1",
        "STEP-5",
        _named("step-rewards-other-beta"),
        "at all 30 numbers asked in binary32, by beta = 0.1",
    ),
    ("huggingface/trl#6879", "PATH-15", _named("path-ipo-counts-first"), "a length that counts the first place"),
    ("huggingface/trl#6879: of log-probabilities", "ADDED-1", _named("count-plus-one"), "divided by one token more"),
    ("huggingface/trl#1705", "PATH-2", _variant("nll_token_mean", "mean"), "the mean over the response"),
    ("huggingface/trl#6548", "PATH-11", _named("path-empty-poisons"), 'it violates PATH-11, "no token'),
    ("linkedin/Liger-Kernel#968", "PATH-13", _named("path-ignores-incoming"), 'PATH-13, "incoming derivatives'),
    (
        "linkedin/Liger-Kernel#968: of log-probabilities",
        "SLOPE-6",
        _named("ignores-incoming"),
        'SLOPE-6, "incoming derivatives',
    ),
    (
        "huggingface/trl#2564",
        "PATH-16",
        _named("path-orpo-certain-is-nan"),
        'it violates PATH-16, "a certain response',
    ),
    (
        "huggingface/trl#1911",
        "KL-2",
        _named("kl-reversed"),
        "it violates KL-2 in binary32: of 3 examples prompt 1 is given its own completion",
    ),
    ("microsoft/DirectML#740", "SLOPE-1", _named("no-graph"), "it returns no gradient at all"),
    ("NVIDIA-NeMo/Megatron-Bridge#4660", "ADDED-3", _made(_without_end), "without each sequence's last token"),
    ("verl-project/verl#6475", "ADDED-2", _named("rolls-mask"), "the next one's first token"),
    ("google-deepmind/optax#1020", "LOGP-3", _made(_sixteen_lse), 'LOGP-3, "inputs that show the sum'),
    ("pytorch/executorch#20089", "LOGP-3", _made(_saturating), 'LOGP-3, "inputs that show the sum'),
]


PAGE = Path(__file__).resolve().parents[2] / "docs" / "reports.md"
ROWS = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "#" in line and "| " in line]


def test_the_page_tells_of_each_report_by_the_clauses_that_catch_it() -> None:
    for report, clause, *_ in REPORTS:
        name = report.partition(":")[0]
        assert any(name in row[0] and clause in row[3] and "S" in row[4] for row in ROWS), report
    tested = {report.partition(":")[0] for report, *_ in REPORTS}
    for told, *_, clauses, where in ROWS:
        assert set(re.findall(r"[A-Z]+-\d+", clauses)) <= {clause.id for clause in EVERY}
        assert "S" not in where.split(", ") or any(name in told for name in tested), told


@pytest.mark.parametrize(("report", "clause", "build", "told"), REPORTS, ids=[report for report, *_ in REPORTS])
def test_a_report_is_caught_and_its_cause_told(report: str, clause: str, build: Callable[[], Any], told: str) -> None:
    record = judge(build(), dtypes=["float32"], clauses=[find(clause)])
    assert find(clause).level is Level.MUST
    assert record.runs[0].verdict is Verdict.VIOLATES
    assert told in causes.told(record)[0].headline
