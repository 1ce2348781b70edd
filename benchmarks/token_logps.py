"""Certified token log-probabilities at V = 151,936 beside what a user would take instead, and the memory that they take.

    python -m benchmarks.token_logps            rows of float32 logits: ours, NumPy's float64 logsumexp, mpmath, Arb
    python -m benchmarks.token_logps --path     a pair, forward and backward, beside torch in float64
    python -m benchmarks.token_logps --memory   the process's peak at T = 16, 256 and 4,096

Each figure is the best of several runs in one process; the ratio is what counts.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from oracle import sequence

V = 151_936
Floats = NDArray[np.float32]


def best(function: Callable[[], object], runs: int = 5) -> float:
    """Seconds of the fastest run."""
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return min(found)


def rows(count: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 4, (count, V)).astype(np.float32), rng.integers(0, V, count)


def numpy_logps(logits: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Float64, a row at a time, so that it stays in the cache: NumPy at its best."""
    found = np.empty(len(labels))
    for i, row in enumerate(logits):
        z = row.astype(np.float64)
        top = z.max()
        found[i] = z[labels[i]] - (top + np.log(np.exp(z - top).sum()))
    return found


def numpy_at_once(logits: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Float64, all rows at once, as it is usually written."""
    z = logits.astype(np.float64)
    top = z.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = z[np.arange(len(z)), labels] - (top[:, 0] + np.log(np.exp(z - top).sum(axis=1)))
    return found


def mpmath_logp(row: Floats, label: int) -> object:
    import mpmath  # noqa: PLC0415

    mpmath.mp.prec = 80
    z = [mpmath.mpf(float(x)) for x in row]
    return z[label] - mpmath.log(mpmath.fsum(mpmath.exp(x) for x in z))


def arb_logp(row: Floats, label: int) -> object:
    import flint  # noqa: PLC0415

    flint.ctx.prec = 80
    z = [flint.arb(float(x)) for x in row]
    total = flint.arb(0)
    for x in z:
        total += x.exp()
    return z[label] - total.log()


def tokens() -> None:
    logits, labels = rows(16)
    sequence.token_logps(logits[:1], labels[:1])
    ours = best(lambda: sequence.token_logps(logits, labels)) / 16
    theirs = best(lambda: numpy_logps(logits, labels)) / 16
    print(f"{'certified':28} {ours * 1e3:9.3f} ms a row")
    whole = best(lambda: numpy_at_once(logits, labels)) / 16
    for name, other in (("NumPy float64, row by row", theirs), ("NumPy float64, all at once", whole)):
        print(f"{name:28} {other * 1e3:9.3f} ms a row   certified takes {ours / other:.2f} times as long")
    for name, function in (("mpmath, 80 bits", mpmath_logp), ("Arb, 80 bits", arb_logp)):
        other = best(lambda function=function: function(logits[0], int(labels[0])), 1)  # type: ignore[misc]
        print(f"{name:28} {other * 1e3:9.1f} ms a row   certified is {other / ours:,.0f} times as fast")


def certified_path(policy: Floats, reference: Floats, labels: NDArray[np.int64], beta: float) -> float:
    """The loss of a pair and its derivatives in every policy logit, by two threads: rows do not depend on each other."""
    half = len(labels) // 2
    with ThreadPoolExecutor(2) as pool:
        parts = [(logits, piece) for logits in (policy, reference) for piece in (slice(0, half), slice(half, None))]
        sums = list(pool.map(lambda part: sequence.token_logps(part[0][part[1]], labels[part[1]]), parts))
        pc, pr, rc, rr = (sequence.summed_tokens(logps.reshape(1, -1)) for logps in sums)
        z = ((pc - rc) - (pr - rr)) * beta
        from oracle import enclosure  # noqa: PLC0415

        slope = enclosure.sigmoid_minus(z) * -beta

        def backward(piece: slice, sign: float) -> float:
            weights = (slope * sign).broadcast_to((half,))
            tiles: Iterator[sequence.Tile] = sequence.gradient_tiles(policy[piece], labels[piece], weights=weights)
            return sum(float(tile.head[0, 0]) for tile in tiles)

        list(pool.map(backward, (slice(0, half), slice(half, None)), (1.0, -1.0)))
    return float(enclosure.softplus_minus(z).head[0])


def path(tokens_each: int) -> None:
    import torch  # noqa: PLC0415

    torch.set_num_threads(2)
    policy, labels = rows(2 * tokens_each)
    reference, _ = rows(2 * tokens_each, 1)

    def theirs() -> None:
        for start in range(0, 2 * tokens_each, tokens_each):
            piece = slice(start, start + tokens_each)
            leaf = torch.from_numpy(policy[piece]).double().requires_grad_()
            index = torch.from_numpy(labels[piece])[:, None]
            logps = torch.log_softmax(leaf, -1).gather(1, index).sum()
            with torch.no_grad():
                torch.log_softmax(torch.from_numpy(reference[piece]).double(), -1).gather(1, index).sum()
            logps.backward()

    certified_path(policy[:4], reference[:4], labels[:4], 0.1)
    ours, other = (best(function, 2) for function in (lambda: certified_path(policy, reference, labels, 0.1), theirs))
    print(f"a pair of 2 x {tokens_each} tokens, {V:,} columns, loss and every derivative, two threads")
    print(f"certified {ours:.2f} s, torch float64 {other:.2f} s: {ours / other:.2f} times as long")


def memory(tokens_here: int) -> None:
    """The peak of a process that reads its logits a row at a time from a file in memory of the system, not its own."""
    import tempfile  # noqa: PLC0415

    with tempfile.NamedTemporaryFile() as file:
        rng = np.random.default_rng(0)
        for _ in range(tokens_here):
            rng.standard_normal(V, dtype=np.float32).astype(np.float16).tofile(file)
        mapped = np.memmap(file.name, dtype=np.float16, mode="r", shape=(tokens_here, V))
        found = 0
        for start in range(0, tokens_here, 64):
            piece = np.memmap(
                file.name, dtype=np.float16, mode="r", offset=start * V * 2, shape=(min(64, tokens_here - start), V)
            )
            found += sequence.token_logps(piece, np.zeros(len(piece), dtype=np.int64)).size
            del piece
        assert found == len(mapped)
    print(f"T = {tokens_here:5}: peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", type=int, nargs="?", const=1024, metavar="T")
    parser.add_argument("--memory", type=int, nargs="*", metavar="T")
    chosen = parser.parse_args()
    if chosen.path is not None:
        path(chosen.path)
    elif chosen.memory is not None:
        lengths = chosen.memory or [16, 256, 4096]
        if len(lengths) == 1:
            memory(lengths[0])
            return
        for length in lengths:
            subprocess.run([sys.executable, "-m", "benchmarks.token_logps", "--memory", str(length)], check=True)
    else:
        tokens()


if __name__ == "__main__":
    main()
