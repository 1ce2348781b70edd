"""The compiled loops: the same bits as NumPy's, by machine code that neither contracts, reassociates nor flushes."""

from __future__ import annotations

import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from oracle import bfloat16, binary16, binary32, binary64, compiled, enclosure, first_tier, judging
from oracle.doubledouble import UnfaithfulArithmetic
from tests.oracle.confront import shares, twins

numba = pytest.importorskip("numba", reason="the extra `fast` is not installed")

from oracle.compiled import (  # noqa: E402 - they need numba
    first,
    jit,
    judge,
    pairs,
    second,
)

LOOPS = (first._evaluate, first._judged, second._kernel, pairs._pairs, judge._raised)
"""All of the loops: what they call is compiled into them."""


@pytest.mark.no_cover
@pytest.mark.parametrize("fmt", [binary16, bfloat16], ids=str)
@pytest.mark.parametrize("odd", [0.0, 0.1])
def test_every_pattern_of_16_bits(fmt, odd) -> None:
    rng = np.random.default_rng(1)
    for tally in twins.judged(rng, fmt.all_values(), fmt, odd):
        assert (tally.points, tally.escapes) == (2**16, 0), tally.examples


@pytest.mark.no_cover
def test_random_logits_and_pairs_and_the_edges_of_every_tier() -> None:
    """10**8 of them: python -m tests.oracle.confront --points 1e8 --tier compiled."""
    rng = np.random.default_rng(2)
    tallies = [*shares.piece("compiled", 0, 0, 100_000), *twins.boundaries(rng, 2_000), *twins.pairs(rng, 20_000)]
    tallies += twins.judged(rng, rng.normal(size=20_000) * 10, binary64, odd=0.01)
    assert {tally.escapes for tally in tallies} == {0}, [tally.examples for tally in tallies]
    assert sum(tally.points for tally in tallies) > 500_000


def test_where_one_path_of_numpy_s_ends() -> None:
    edges = np.array([0.0, first_tier.HALF_STEP, first_tier.REACH, 2.0**13, 2.0**14, 120 * np.log(2), 87.3365, 1e-300, 5e-324])
    near = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, 0)])
    z = np.concatenate([near, -near])
    tallies = [
        twins.compare("f", first_tier.softplus_minus, z),
        twins.compare("s", first_tier.sigmoid_minus, z),
        twins.compare("dd", enclosure.kernel, enclosure.exact(np.append(z, [np.inf, -np.inf, np.nan]))),
        twins.compare("wide", enclosure.kernel, enclosure.exact(z).widen(relative=0.25)),
        *(
            t
            for fmt in (binary32, binary64)
            for t in twins.judged(np.random.default_rng(3), np.append(z, [np.inf, np.nan]), fmt, 0)
        ),
    ]
    assert [tally.escapes for tally in tallies] == [0] * len(tallies), [tally.examples for tally in tallies]


@pytest.mark.no_cover
def test_nothing_and_what_is_broadcast_keep_their_shapes() -> None:
    nothing = np.empty(0)
    with compiled.choice(True):
        for tier in (first_tier.softplus_minus, first_tier.sigmoid_minus):
            assert [tier(np.zeros(shape)).shape for shape in ((), (0,), (2, 0, 3), (3, 4))] == [(), (0,), (2, 0, 3), (3, 4)]
        for of_pairs in (enclosure.loss, enclosure.gradient):
            assert of_pairs(nothing, 0.0, 0.0, 0.0).shape == of_pairs(0.0, nothing, nothing, 0.0, 0.1, nothing).shape == (0,)
            assert of_pairs(np.empty((0, 1)), 0.0, 0.0, np.zeros(3)).shape == (0, 3)
            assert of_pairs(np.zeros((2, 1)), 0.0, np.zeros(3), 0.0).shape == (2, 3)
        assert enclosure.kernel(nothing)[0].shape == (0,)
        for fmt in (binary32, binary64):
            assert (
                judging.losses(nothing, nothing, fmt).errors.size == judging.derivatives(nothing, nothing, fmt).wrong.size == 0
            )


def test_a_single_bit_is_seen(monkeypatch) -> None:
    tables = first_tier.tables()
    changed = tables[0].copy()
    changed[700] = np.nextafter(changed[700], 1)
    evaluate = first.evaluate
    monkeypatch.setattr(first, "evaluate", lambda z, slope, _: evaluate(z, slope, (changed, tables[1])))
    assert twins.compare("f", first_tier.softplus_minus, np.arange(1000) / 256).escapes == 1


# -- the machine code --------------------------------------------------------------------------------------------------

FUSED = re.compile(r"\bv?f(n?madd|n?msub|mla|mls|nmla|nmls)")
"""Fused multiply-adds of x86 and of ARM."""
RELAXED = re.compile(r"= f(?:add|sub|mul|div|cmp|neg) (?:fast|nnan|ninf|nsz|arcp|contract|afn|reassoc)\b")
"""What would let LLVM contract or reassociate."""


def compiled_code(function) -> tuple[str, str]:
    return "\n".join(function.inspect_asm().values()), "\n".join(function.inspect_llvm().values())


def test_no_loop_holds_a_fused_or_a_relaxed_operation() -> None:
    twins.compare("all", enclosure.kernel, enclosure.exact(np.ones(3)))
    twins.judged(np.random.default_rng(0), np.ones(3), binary64, 0)
    twins.judged(np.random.default_rng(0), np.ones(3), binary32, 0)
    twins.pairs(np.random.default_rng(0), 8)
    for loop in LOOPS:
        machine, intermediate = compiled_code(loop)
        assert machine and intermediate, loop
        assert not FUSED.search(machine) and not RELAXED.search(intermediate), loop


def step(x, y, z, out):
    for i in range(x.size):
        out[i] = x[i] * y[i] + z[i]


def test_a_case_tells_a_fused_sum_and_the_machine_code_shows_it() -> None:
    """(1 + 2**-30)**2 - (1 + 2**-29) is 0 where the product is rounded, and 2**-60 where it is not."""
    x, z = np.full(64, 1 + 2.0**-30), np.full(64, -(1 + 2.0**-29))
    ours, fused = jit.compiled(step), numba.njit(step, fastmath={"contract"})
    out = np.empty(64)
    ours(x, x, z, out)
    assert (out == 0).all() and not RELAXED.search(compiled_code(ours)[1])
    fused(x, x, z, out)
    assert RELAXED.search(compiled_code(fused)[1])
    if FUSED.search(compiled_code(fused)[0]):  # where the processor has it
        assert (out == 2.0**-60).all()


def test_a_thread_that_flushes_is_refused_and_the_others_go_on() -> None:
    torch = pytest.importorskip("torch")
    z, got = np.array([720.0, 1.0]), np.array([0.0, 0.3])
    done, flushing = threading.Event(), threading.Event()

    def flush() -> list[type]:
        if not torch.set_flush_denormal(True):
            pytest.skip("this processor has no such mode")
        flushing.set()
        refused = []
        with compiled.choice(True):
            for call in (
                lambda: judging.losses(z, got, binary32),
                lambda: judging.losses(z, got, binary64),
                lambda: first_tier.softplus_minus(z),
                lambda: enclosure.kernel(z),
                lambda: enclosure.loss(z, z, z, z),
            ):
                with pytest.raises(UnfaithfulArithmetic, match="flushes subnormal numbers"):
                    call()
                refused.append(call)
        done.wait(30)
        torch.set_flush_denormal(False)
        return refused

    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(flush)
        assert flushing.wait(30)
        with compiled.choice(True):
            here = judging.losses(z, got, binary64).errors
        done.set()
        assert len(waiting.result()) == 5
    with compiled.choice(False):
        assert (here == judging.losses(z, got, binary64).errors).all()


# -- the door ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def door(monkeypatch):
    """Nothing asked for yet, and few numbers that are worth compiling."""
    monkeypatch.setattr(compiled, "_asked", type(compiled._asked)())
    monkeypatch.setattr(compiled, "WORTH", {"first": 10, "second": 10})
    compiled.available.cache_clear()
    yield monkeypatch
    compiled.available.cache_clear()


def test_loops_are_compiled_once_they_are_worth_it(door) -> None:
    assert [compiled.worth("first", n) for n in (4, 5, 1, 0)] == [False, False, True, True]
    assert not compiled.worth("second", 9)


def test_a_variable_of_the_environment_leaves_numba_alone(door) -> None:
    door.setenv(compiled.SWITCH, "0")
    assert not compiled.available() and not compiled.worth("first", 1000)
    with compiled.choice(True):
        assert compiled.worth("first", 1)


def test_without_numba_everything_is_numpy_s(door) -> None:
    door.setattr(compiled.importlib.util, "find_spec", lambda name: None)
    door.setitem(sys.modules, "oracle.compiled.first", None)
    assert not compiled.worth("first", 1000)
    assert judging.losses(np.ones(1000), np.ones(1000), binary32).errors[0] > 0
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dpo-conformance\[fast\]'"), compiled.choice(True):
        pass
