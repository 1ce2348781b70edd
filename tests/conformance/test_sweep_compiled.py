"""A sweep's block in one compiled pass, and handed over as bit patterns: the same counts, by the same call."""

import numpy as np
import pytest
import torch

from conformance.implementations import torch_implementation
from conformance.implementations.protocol import Sweepable
from conformance.implementations.torch_spellings import CPU, NAIVE
from conformance.inputs.batch import Batch
from conformance.sweep import counting, shard, sweep
from conformance.sweep.plan import BLOCK, Shard, plan
from conformance.sweep.shard import judge_shard
from oracle import FORMATS, bfloat16, binary16, binary32, compiled, first_tier, judging

pytest.importorskip("numba", reason="the extra `fast` is not installed")

from conformance.sweep import counting_loop
from tests.oracle.test_compiled import FUSED, RELAXED, compiled_code

EDGES = (0.0, 2.0**-149, 1e-30, 2.0**-9, 0.6931, 1.0, 8.0, 16.6355, 86.5, 87.3365, 88.7, 103.97, 127.9, 1e30)
"""Where the table begins and ends, where results round up, are subnormal, or are 0."""


def blocks():
    for edge in EDGES:
        middle = int(binary32.ordinals(binary32.round_array(np.array([edge])))[0])
        yield from (Shard(max(0, middle - 1500), middle + 1500, negative) for negative in (False, True))
    yield Shard(BLOCK - 7, BLOCK, False)
    top = int(binary32.ordinals(binary32.largest))
    yield from (Shard(top - 700, top + 1, negative) for negative in (False, True))


def spoiled(pc, pr, rc, rr, beta, label_smoothing):
    """Right, wrong by an ulp and by far, flushed, NaN and infinite, on one page."""
    losses = CPU(pc, pr, rc, rr, beta, label_smoothing)
    place = torch.arange(len(losses)) % 97
    for number, change in enumerate((0.0, torch.nan, torch.inf, -torch.inf)):
        losses = torch.where(place == number, losses * 0 + change, losses)
    return torch.where(place == 5, losses * (1 + 2.0**-23), torch.where(place == 6, losses * 3, losses))


def found(implementation, use):
    with compiled.choice(use):
        judged = [judge_shard(implementation, plan(binary32), block) for block in blocks()]
    return [[one.plain() for one in quantities] for quantities in judged]


@pytest.mark.no_cover
@pytest.mark.parametrize("flush", [None, "flush"])
@pytest.mark.parametrize("function", [CPU, NAIVE, spoiled], ids=["right", "naive", "spoiled"])
def test_a_block_is_counted_alike_by_numpy_and_in_one_compiled_pass(function, flush, monkeypatch):
    implementation = torch_implementation(function, name="it", subnormals=flush)
    passed, together = [], counting.counted_both
    monkeypatch.setattr(shard, "counted_both", lambda *a: passed.append(together(*a)) or passed[-1])
    one_pass = found(implementation, True)
    assert sum(both is not None for both in passed) > len(passed) / 2
    passed.clear()
    assert found(implementation, False) == one_pass
    assert passed == [None] * len(passed)


def test_what_is_not_decided_in_one_pass_is_left_to_the_tiers():
    """At z = 9.33..., torch's loss lies so near to half an ulp that float64 cannot tell."""
    z = np.array([float.fromhex("0x1.2ab37ep+3")])
    loss, slope = np.float32([float.fromhex("0x1.727954p-14")]), (1 / (1 + np.exp(z))).astype(np.float32)
    near = binary32.neighbours(z)[1]
    with compiled.choice(True):
        assert judging.losses(z, loss.astype(float), binary32).escalated == (1, 0)
        assert counting.counted_both(z, loss, slope, binary32, False) is None
        assert counting.counted_both(near, loss, slope, binary32, False) is not None
        assert counting.counted_both(near, loss.astype(float), slope, binary32, False) is None, "not stored in binary32"
    with compiled.choice(False):
        assert counting.counted_both(near, loss, slope, binary32, False) is None


def test_no_logit_of_binary32_leaves_it_in_doubt_whether_the_exact_value_is_subnormal():
    around = binary32.from_ordinals(int(binary32.ordinals(binary32.round_array([126 * np.log(2)]))[0]) + np.arange(-2, 3))
    for tier in (first_tier.softplus_minus, first_tier.sigmoid_minus):
        exact = tier(around)
        assert exact[0] > binary32.smallest_normal > exact[-1]
        assert (np.abs(exact / binary32.smallest_normal - 1) > 2.0**-19).all()


def test_the_pass_holds_no_fused_and_no_relaxed_operation():
    z = np.ones(3)
    counting_loop.judged_and_counted(z, np.float32(z), np.float32(z), binary32, 1.0)
    machine, intermediate = compiled_code(counting_loop._block)
    assert machine and intermediate and not FUSED.search(machine) and not RELAXED.search(intermediate)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_the_patterns_are_those_of_a_batch_at_the_logits(fmt):
    for first in (0, 1, 700):
        for negative in (False, True):
            block = Shard(first, first + 60, negative)
            batch = Batch.at_logits(block.logits(fmt))
            for got, due in zip(block.logps(fmt), batch.logps, strict=True):
                assert np.array_equal(got, fmt.encode(due)) and got.dtype == fmt.bits_dtype


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_bit_patterns_are_answered_as_the_batch_is(fmt):
    assert isinstance(CPU, Sweepable)
    block = Shard(0, 50, True)
    told = CPU.at_patterns(block.logps(fmt), fmt, gradient=True)
    answer = CPU.evaluate(Batch.at_logits(block.logits(fmt)), fmt, gradient=True)
    assert np.array_equal(told.losses, answer.losses) and told.wrote == ()
    assert all(np.array_equal(got, due) for got, due in zip(told.gradient, answer.gradient, strict=False))
    assert (told.losses.dtype == np.float32) == (fmt is binary32)
    assert CPU.at_patterns(block.logps(fmt), fmt, gradient=False).gradient == (None, None)


@pytest.mark.parametrize("fmt", [binary16, bfloat16, binary32], ids=str)
@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (lambda pc, pr, *rest: CPU(pc.detach().mul_(2), pr, *rest), "wrote its inputs", "policy_chosen_logps"),
        (lambda pc, pr, *rest: CPU(pc, pr, *rest)[1:], "wrong shape", "losses"),
        (lambda *arguments: 1.0, "wrong type", "a float where a tensor was promised"),
        (lambda pc, *rest: pc.nothing, "raised", "AttributeError"),
    ],
)
def test_conduct_is_found_by_patterns_too(function, kind, said, fmt):
    (failure,) = sweep(torch_implementation(function), fmt, low=-1, high=-0.5).failures
    assert failure.kind == kind and said in failure.text


def test_losses_that_backward_overwrites_are_those_that_were_returned():
    class Overwriting(torch.autograd.Function):
        @staticmethod
        def forward(context, z):
            losses = -torch.nn.functional.logsigmoid(z)
            context.kept = losses
            context.save_for_backward(z)
            return losses.view_as(losses)

        @staticmethod
        def backward(context, upstream):
            context.kept.zero_()
            (z,) = context.saved_tensors
            return -torch.sigmoid(-z) * upstream

    overwriting = torch_implementation(lambda pc, pr, rc, rr, beta, eps: Overwriting.apply(beta * ((pc - rc) - (pr - rr))))
    assert sweep(overwriting, binary32, low=1, high="0x1.0001p0").conforms
