"""Certified token log-probabilities at the vocabularies of today, beside what a user would take instead; a pair; the memory."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row, Timed, run_python
from oracle import enclosure, sequence

V = 151_936
ROWS, TOKENS = 16, 1_024
BITS = 80
Floats = NDArray[np.float32]


def _rows(count: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Logits of a standard deviation of 4 and labels drawn alike from all columns."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 4, (count, V)).astype(np.float32), rng.integers(0, V, count)


def tokens(rounds: int) -> tuple[str, list[Row]]:
    """Token log-probabilities of float32 logits, V = 151,936, one thread. NumPy: float64, each row for itself, which stays in
    the cache, and all rows at once, as it is usually written. mpmath and Arb work with 80 bits, a row each."""
    logits, labels = _rows(ROWS)
    timed = Timed(rounds)
    timed.add(OURS, partial(sequence.token_logps, logits, labels), ROWS)
    timed.add("NumPy, each row for itself", lambda: [_numpy(*row) for row in zip(logits, labels, strict=True)], ROWS)
    timed.add("NumPy, all rows at once", lambda: _numpy_at_once(logits, labels), ROWS)
    timed.add("mpmath", lambda: _mpmath(logits[0], int(labels[0])), 1)
    timed.add("Arb (python-flint)", lambda: _arb(logits[0], int(labels[0])), 1)
    found = timed.medians()
    ours = found[OURS]
    rows = [(name, f"{ns / 1e6:,.3f}", f"{ours / ns:.3g}", f"{ns / ours:,.2f}") for name, ns in found.items()]
    return "| token log-probabilities | ms a row | certified over it | it over certified |", rows


OURS = "certified to 2⁻⁶⁰"


def _numpy(row: Floats, label: int) -> np.float64:
    z = row.astype(np.float64)
    top = z.max()
    found: np.float64 = z[label] - (top + np.log(np.exp(z - top).sum()))
    return found


def _numpy_at_once(logits: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    z = logits.astype(np.float64)
    top = z.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = z[np.arange(len(z)), labels] - (top[:, 0] + np.log(np.exp(z - top).sum(axis=1)))
    return found


def _mpmath(row: Floats, label: int) -> object:
    import mpmath  # noqa: PLC0415

    with mpmath.workprec(BITS):
        z = [mpmath.mpf(float(x)) for x in row]
        return z[label] - mpmath.log(mpmath.fsum(mpmath.exp(x) for x in z))


def _arb(row: Floats, label: int) -> object:
    import flint  # noqa: PLC0415

    with flint.ctx.workprec(BITS):
        z = [flint.arb(float(x)) for x in row]
        total = flint.arb(0)
        for x in z:
            total += x.exp()
        return z[label] - total.log()


def path(rounds: int) -> tuple[str, list[Row]]:
    """From token logits to the loss of a pair and its derivative in every policy logit: two responses of 1,024 tokens, V =
    151,936, two threads, by the clock, one after the other. torch: float64, log_softmax and gather, forward and backward, the
    reference without derivatives, a response at a time."""
    import torch  # noqa: PLC0415

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    policy, labels = _rows(2 * TOKENS)
    reference, _ = _rows(2 * TOKENS, 1)
    _certified(policy[:4], reference[:4], labels[:4])
    seen: dict[str, list[float]] = {"certified": [], "torch, float64": []}
    for _ in range(max(2, rounds // 2)):
        for name, call in zip(seen, (_certified, _torch), strict=True):
            start = time.perf_counter()
            call(policy, reference, labels)
            seen[name].append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    ours, theirs = map(statistics.median, seen.values())
    rows = [("certified", f"{ours:.2f}", f"{ours / theirs:.2f}"), ("torch, float64", f"{theirs:.2f}", "1.00")]
    return "| a pair, loss and every derivative | seconds | over torch |", rows


def _certified(policy: Floats, reference: Floats, labels: NDArray[np.int64], beta: float = 0.1) -> None:
    half = len(labels) // 2
    pieces = slice(0, half), slice(half, None)
    with ThreadPoolExecutor(2) as pool:
        parts = [(logits, piece) for logits in (policy, reference) for piece in pieces]
        logps = list(pool.map(lambda part: sequence.token_logps(part[0][part[1]], labels[part[1]]), parts))
        pc, pr, rc, rr = (sequence.summed_tokens(found.reshape(1, -1)) for found in logps)
        z = ((pc - rc) - (pr - rr)) * beta
        enclosure.softplus_minus(z)
        slope = enclosure.sigmoid_minus(z) * -beta

        def backward(piece: slice, sign: float) -> None:
            weights = (slope * sign).broadcast_to((half,))
            for _ in sequence.gradient_tiles(policy[piece], labels[piece], weights=weights):
                pass

        list(pool.map(backward, pieces, (1.0, -1.0)))


def _torch(policy: Floats, reference: Floats, labels: NDArray[np.int64]) -> None:
    import torch  # noqa: PLC0415

    for piece in (slice(0, TOKENS), slice(TOKENS, None)):
        leaf = torch.from_numpy(policy[piece]).double().requires_grad_()
        index = torch.from_numpy(labels[piece])[:, None]
        with torch.no_grad():
            torch.log_softmax(torch.from_numpy(reference[piece]).double(), -1).gather(1, index).sum()
        torch.log_softmax(leaf, -1).gather(1, index).sum().backward()  # type: ignore[no-untyped-call]


MEMORY = """
import resource, sys, tempfile
from pathlib import Path
import numpy as np
from oracle import sequence
tokens, v, block = int(sys.argv[1]), int(sys.argv[2]), 64
with tempfile.NamedTemporaryFile() as file:
    rng = np.random.default_rng(0)
    for _ in range(tokens):
        rng.standard_normal(v, dtype=np.float32).astype(np.float16).tofile(file)
    file.flush()
    for start in range(0, tokens, block):
        shape = min(block, tokens - start), v
        piece = np.memmap(file.name, dtype=np.float16, mode="r", offset=start * v * 2, shape=shape)
        sequence.token_logps(piece, np.zeros(len(piece), dtype=np.int64))
        del piece
status = Path("/proc/self/status")  # ru_maxrss is that of the parent where it was more
lines = status.read_text().splitlines() if status.exists() else []
peak = [float(line.split()[1]) for line in lines if line.startswith("VmHWM")]
print((peak or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024)
"""


def memory(rounds: int) -> tuple[str, list[Row]]:
    """The peak of a process that reads binary16 logits from a mapped file, 64 tokens at a time, whose pages count as its own;
    once, as memory does not vary."""
    peaks = {length: run_python(MEMORY, str(length), str(V))[0] for length in (16, 256, 4_096)}
    rows = [(f"T = {length:,}", f"{peak:,.0f}", f"{peak / peaks[16]:.2f}") for length, peak in peaks.items()]
    return "| tokens of V = 151,936 | peak MiB | over T = 16 |", rows
