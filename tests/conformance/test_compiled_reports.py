"""Reports and records do not depend on whether compiled loops decided."""

import numpy as np
import pytest

from conformance.clauses import CLAUSES
from conformance.implementations import load
from conformance.implementations.numpy import STABLE, numpy_implementation
from conformance.records.record import plain
from conformance.sweep.counting import counted
from conformance.sweep.plan import Shard, plan
from conformance.sweep.shard import judge_shard
from oracle import FORMATS, bfloat16, binary16, binary32, compiled, judging

pytest.importorskip("numba", reason="the extra `fast` is not installed")

START = int(binary32.ordinals(87.0))


def slopes(pc, pr, rc, rr, beta, eps):
    """Wrong by many ulps here and there, NaN, infinite, flushed, of the other sign: one after the other."""
    z = (pc - rc) - (pr - rr)
    s = 1 / (1 + np.exp(z))
    s[::7] *= s.dtype.type(1.01)
    s[::11], s[::13], s[::17] = np.nan, np.inf, 0
    return -s, s, s, -s


@pytest.mark.parametrize("flush", [False, True])
def test_a_sweep_finds_the_same(flush):
    claims = {"gradient": slopes} | ({"subnormals": "flush"} if flush else {})
    wild = numpy_implementation(STABLE._function, **claims)
    for implementation, fmt, shards in (
        (wild, binary32, [Shard(START, START + 70_000, False), Shard(0, 40_000, True)]),
        (wild, bfloat16, plan(bfloat16).shards()),
        (load("torch"), binary16, plan(binary16).shards()),
        (load("torch"), binary32, [Shard(START, START + 70_000, False), Shard(START, START + 70_000, True)]),
    ):
        for shard in shards:
            found = []
            for use in (False, True):
                with compiled.choice(use):
                    found.append([part.plain() for part in judge_shard(implementation, plan(fmt), shard)])
            assert found[0] == found[1]
            assert found[0][0]["judged"] == len(shard)


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("fmt", [binary16, binary32], ids=str)
def test_a_block_is_counted_alike(fmt, flush):
    rng = np.random.default_rng(4)
    z = fmt.round_array(-fmt.emin * np.log(2) * rng.uniform(0, 1.5, 5000))
    got = fmt.round_array(np.exp(-z) * rng.choice([1.0, 1.5, 0.0, np.nan, np.inf, 30.0], 5000))
    judged = judging.losses(z, got, fmt)
    with compiled.choice(False):
        plainly = counted(got, judged, fmt, flush)
    with compiled.choice(True):
        fast = counted(got, judged, fmt, flush)
    assert (plainly.errors == fast.errors).all() and plainly.flushed
    for name in ("wrong", "not_finite", "flushed", "top", "above"):
        assert getattr(plainly, name) == getattr(fast, name), name


@pytest.mark.no_cover
def test_a_run_finds_the_same(judged):
    chosen = [clause for clause in CLAUSES if clause.id in {"KERNEL-1", "KERNEL-2", "KERNEL-5", "LOSS-1", "GRAD-2", "SMOOTH-2"}]
    for fmt in FORMATS:
        found = []
        for use in (False, True):
            with compiled.choice(use):
                found.append([plain(finding) for finding in judged(load("torch-naive"), fmt.name, clauses=chosen).findings])
        assert found[0] == found[1] and len(found[0]) == len(chosen)
