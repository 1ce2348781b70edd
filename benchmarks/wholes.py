"""Whole formats, whole commands, and how the price of a number grows."""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks.timing import Call, Row, Timed, chosen, older, run, run_python
from conformance.sweep import sweep
from oracle import bfloat16, binary16, binary32
from oracle.formats import Floats

LOGITS = 1 << 21
SPANS = ((0.015625, "around 0.016"), (8.0, "around 8"), (2.0**-60, "around 1e-18"))
WORKED = 1 << 26


def wholes(rounds: int) -> tuple[str, list[Row]]:
    """Torch swept in this process with one thread: every logit, the value and both derivatives. Torch alone: forward and
    backward of its four-logp loss at the same logits, its four tensors made, in blocks as long as the sweep's."""
    import torch  # noqa: PLC0415

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    timed = Timed(rounds)
    for low, place in SPANS:
        first = int(binary32.ordinals(low))
        z = binary32.from_ordinals(np.arange(first, first + LOGITS))
        high = float(z[-1])
        timed.add(f"torch alone, binary32, {place}", lambda z=z: _torch_alone(z), LOGITS)
        for use, way in ((True, "compiled"), (False, "NumPy")):
            swept = chosen(use, lambda a=low, b=high: sweep("torch", binary32, low=a, high=b, isolate=False))
            timed.add(f"swept, {way}, binary32, {place}", swept, LOGITS)
    for use, way in ((True, "compiled"), (False, "NumPy")):
        both = chosen(use, lambda: [sweep("torch", fmt, isolate=False) for fmt in (binary16, bfloat16)])
        timed.add(f"swept, {way}: all of binary16 and bfloat16", both, 2**17)
    found = timed.medians()
    torch.set_num_threads(threads)
    rows = []
    for name, ns in found.items():
        alone = found.get("torch alone, " + name.split(", ", 2)[-1], 0.0)
        rows.append((name, f"{ns:,.1f}", f"{ns / alone:,.2f}" if alone else ""))
    return "| torch, one process, one thread | ns a logit | over torch alone |", rows


def _torch_alone(z: Floats) -> None:
    import torch  # noqa: PLC0415

    whole = torch.from_numpy(z.astype(np.float32))
    for part in whole.split(1 << 15):
        zero = torch.zeros_like(part)
        logps = [t.requires_grad_(True) for t in (zero.clone(), -part, zero.clone(), zero.clone())]
        pc, pr, rc, rr = logps
        losses = -torch.nn.functional.logsigmoid(1.0 * ((pc - rc) - (pr - rr)))
        torch.autograd.grad(losses.sum(), logps)


def workers(rounds: int) -> tuple[str, list[Row]]:
    """Torch swept over 2²⁶ logits of binary32 from 1/64 on: processes of its own, and Dask's LocalCluster, that are already
    running or not as a user has them: start and compilation included."""
    from distributed import Client, LocalCluster  # noqa: PLC0415

    first = int(binary32.ordinals(0.015625))
    low, high = (float(x) for x in binary32.from_ordinals([first, first + WORKED - 1]))
    rows = []
    for name, number in (("1 worker", 1), ("2 workers", 2)):
        rows.append(_worked(name, lambda n=number: sweep("torch", binary32, low=low, high=high, workers=n)))
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        executor = client.get_executor()
        rows.append(
            _worked(
                "LocalCluster, 2 workers", lambda: sweep("torch", binary32, low=low, high=high, executor=executor, workers=4)
            )
        )
    return "| torch swept | seconds | ns a logit |", rows


def _worked(name: str, call: Call) -> Row:
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    return name, f"{seconds:.1f}", f"{seconds / WORKED * 1e9:.1f}"


IMPORT = """
import time
import torch
start = time.perf_counter()
from conformance.implementations import torch_implementation
print(time.perf_counter() - start)
"""
COMMANDS = ("--help", "run torch", "run numpy torch")
LONG = ("run torch --profile standard",)


def commands(rounds: int) -> tuple[str, list[Row]]:
    """Whole commands, process start included, with as many threads as the machine has, beside the same at the commit before;
    the standard profile once."""
    found: dict[str, float] = {}
    with older() as before:
        for group, times in ((COMMANDS, max(1, rounds // 2)), (LONG, 1)):
            timed = Timed(times, time.perf_counter, warm=False)
            for words in group:
                timed.add(f"now: {words}", lambda w=words: run(f"dpo-conformance {w}"), 1)
                timed.add(f"before: {words}", lambda w=words: run(f"dpo-conformance {w}", before), 1)
            found |= timed.medians()
        now = statistics.median(run_python(IMPORT)[0] for _ in range(rounds))
        then = statistics.median(run_python(IMPORT, extra=before)[0] for _ in range(rounds))
    rows = [
        (f"`dpo-conformance {w}`", *(f"{x:.2f}" for x in (a, b, a / b)))
        for w in (*COMMANDS, *LONG)
        for a, b in [(found[f"now: {w}"] / 1e9, found[f"before: {w}"] / 1e9)]
    ]
    rows.append(("import of `torch_implementation`, torch imported before", f"{now:.2f}", f"{then:.2f}", f"{now / then:.2f}"))
    return "| command | seconds | at the commit before | over it |", rows


GROWTH = """
import resource, sys, time
import numpy as np
from oracle import binary32, judging
n, block = int(sys.argv[1]), 1 << 16
judging.losses(np.zeros(1), np.zeros(1), binary32)
start = time.perf_counter()
for first in range(0, n, block):
    z = binary32.from_ordinals(np.arange(first, min(first + block, n)) + 1_000_000_000)
    judging.losses(z, binary32.round_array(z), binary32)
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def growth(rounds: int) -> tuple[str, list[Row]]:
    """The price of a point as their number grows, in processes of their own, compilation included where it comes to that."""
    rows = []
    for power in range(3, 10):
        row = [f"10^{power}"]
        for switch in ("1", "0"):
            extra = {"DPO_CONFORMANCE_COMPILED": switch}
            seen = [run_python(GROWTH, str(10**power), extra=extra) for _ in range(1 if power > 6 else rounds)]
            seconds, memory = (statistics.median(column) for column in zip(*seen, strict=True))
            row += [f"{seconds / 10**power * 1e9:,.1f}", f"{memory:,.0f}"]
        rows.append(tuple(row))
    return "| binary32 logits made and judged | ns a point with `fast` | peak MiB | ns a point without | peak MiB |", rows
