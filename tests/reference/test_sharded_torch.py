"""Vocabulary-parallel log-probabilities: ranks as threads, against the whole."""

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from oracle import sequence
from oracle.reference import sequence_torch
from oracle.reference.sharded_torch import token_logps

CUTS = [(0, 3), (3, 4), (4, 9)]
"""The columns of each rank, of 9."""


def ranks(logits, labels, mask, incoming, **options):
    """What each rank returns, and the derivatives in its columns, joined."""
    barrier, shared = Barrier(len(CUTS)), [None] * len(CUTS)

    def rank(i):
        def reduce(x, how):
            shared[i] = x
            barrier.wait()
            found = torch.stack(shared).amax(0) if how == "max" else torch.stack(shared).sum(0)
            barrier.wait()
            return found

        leaf = logits[..., slice(*CUTS[i])].clone().requires_grad_()
        logps = token_logps(leaf, labels, mask, first=CUTS[i][0], reduce=reduce, **options)
        (logps * incoming).sum().backward()
        return logps.detach(), leaf.grad

    with ThreadPoolExecutor(len(CUTS)) as pool:
        values, slopes = zip(*pool.map(rank, range(len(CUTS))), strict=True)
    assert all(torch.equal(value.nan_to_num(7.0), values[0].nan_to_num(7.0)) for value in values)
    return values[0], torch.cat(slopes, -1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_shards_agree_with_the_whole(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 9, generator=generator, dtype=torch.float64).to(dtype)
    logits[0, 2] = math.nan  # masked
    labels, mask = torch.tensor([[1, 8, 0], [3, 9, 6]]), torch.tensor([[True, True, False], [True, True, True]])
    incoming = torch.tensor([[1.0, -2.0, 3.0], [0.5, 1.0, 1.0]])
    values, slopes = ranks(logits, labels, mask, incoming, temperature=0.7)
    leaf = logits.clone().requires_grad_()
    whole = sequence_torch.token_logps(leaf, labels, mask, temperature=0.7)
    (whole * incoming).sum().backward()
    close = {"rtol": 1e-13 if dtype == torch.float64 else 1e-2 if dtype == torch.bfloat16 else 2e-6, "atol": 0}
    assert torch.allclose(values, whole, equal_nan=True, **close)
    assert torch.allclose(slopes, leaf.grad, equal_nan=True, **close)
    assert values.isnan().tolist() == [[False] * 3, [False, True, False]]  # 9 is no rank's token


def test_digits_near_certainty_and_rows_of_infinities():
    row = [60.0, 0.0, 1.0, 2.0, -math.inf, 0.0, 0.5, 0.25, 3.0]
    values, slopes = ranks(torch.tensor([row, [-math.inf] * 9]), torch.tensor([0, -100]), None, torch.ones(2))
    exact = float(sequence.token_logp([x if math.isfinite(x) else -1e6 for x in row], 0))
    assert values[0].item() == pytest.approx(exact, rel=3e-6, abs=0)
    assert slopes[0, 0].item() == pytest.approx(-math.expm1(exact), rel=3e-6, abs=0)
    assert values[1] == 0
    assert not slopes[1].any()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": torch.zeros(2)}, "labels: integers"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, r"labels \(3,\)"),
        ({"logits": torch.zeros(2, 9, dtype=torch.int64)}, r"torch\.int64"),
        ({"temperature": 0.0}, "a positive number"),
    ],
)
def test_what_is_refused(given, message):
    usual = {"logits": torch.zeros(2, 9), "labels": torch.zeros(2, dtype=torch.int64), "first": 0, "reduce": lambda x, _: x}
    with pytest.raises(ValueError, match=message):
        token_logps(**usual | given)
