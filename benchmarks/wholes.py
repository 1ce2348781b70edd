"""Whole formats, whole commands, and how the price of a number grows."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.timing import Call, Row, Timed, chosen, older, run, run_python
from conformance.sweep import sweep
from conformance.sweep.plan import BLOCK
from oracle import bfloat16, binary16, binary32
from oracle.compiled import SWITCH as COMPILED
from oracle.formats import Floats

if TYPE_CHECKING:
    from torch import Tensor

LOGITS = 1 << 23
TIMES = 4
"""Torch alone is asked so often about the first part of the logits: all of them would come from outside its caches."""
SPANS = ((0.015625, "around 0.016"), (8.0, "around 8"), (2.0**-60, "around 1e-18"))
WORKED = 1 << 26


def wholes(rounds: int) -> tuple[str, list[Row]]:
    """Torch swept in this process with one thread: every logit, the value and both derivatives. Torch alone: the same function
    that is swept, forward and backward, at the same logits in the same blocks of 2¹⁵, or in one call; the four tensors are
    ready, and nothing is read."""
    import torch  # noqa: PLC0415

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    timed = Timed(rounds)
    for low, place in SPANS:
        first = int(binary32.ordinals(low))
        z = binary32.from_ordinals(np.arange(first, first + LOGITS))
        high = float(z[-1])
        ready = [_leaves(part) for part in np.split(z[: LOGITS // TIMES], LOGITS // TIMES // BLOCK)] * TIMES
        timed.add(f"torch alone, binary32, {place}", lambda blocks=ready: _torch_alone(blocks), LOGITS)
        for use, way in ((True, "compiled"), (False, "NumPy")):
            swept = chosen(use, lambda a=low, b=high: sweep("torch", binary32, low=a, high=b, isolate=False))
            timed.add(f"swept, {way}, binary32, {place}", swept, LOGITS)
    whole = [_leaves(z)]
    timed.add("torch alone, all in one call", lambda: _torch_alone(whole), LOGITS)
    for use, way in ((True, "compiled"), (False, "NumPy")):
        both = chosen(use, lambda: [sweep("torch", fmt, isolate=False) for fmt in (binary16, bfloat16)])
        timed.add(f"swept, {way}: all of binary16 and bfloat16", both, 2**17)
    found = timed.medians()
    torch.set_num_threads(threads)
    rows = []
    once = found["torch alone, all in one call"]
    for name, ns in found.items():
        alone = found.get("torch alone, " + name.split(", ", 2)[-1], 0.0)
        rows.append((name, f"{ns:,.1f}", *((f"{ns / alone:,.2f}", f"{ns / once:,.2f}") if alone else ("", ""))))
    return "| torch, one process, one thread | ns a logit | over torch alone | over torch alone in one call |", rows


def _leaves(z: Floats) -> list[Tensor]:
    """The four tensors in which a sweep hands positive logits over."""
    import torch  # noqa: PLC0415

    logits = torch.from_numpy(z.astype(np.float32))
    return [t.requires_grad_() for t in (torch.zeros_like(logits), -logits, *(torch.zeros_like(logits) for _ in range(2)))]


def _torch_alone(blocks: list[list[Tensor]]) -> None:
    import torch  # noqa: PLC0415

    from conformance.implementations.torch_spellings import CPU  # noqa: PLC0415

    for logps in blocks:
        losses = CPU(*logps, 1.0, 0.0)
        torch.autograd.grad(losses.sum(), logps)


def workers(rounds: int) -> tuple[str, list[Row]]:
    """Torch swept over 2²⁶ logits of binary32 from 1/64 on, by the clock. Processes of its own, and Dask's LocalCluster, as a
    user has them: start, import and compilation included. Threads of this process, which has imported and compiled before."""
    import torch  # noqa: PLC0415
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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, number in (("1 thread", 1), ("2 threads", 2)):
        with ThreadPoolExecutor(number) as pool:
            warmed = partial(sweep, "torch", binary32, low=low, executor=pool, workers=number)
            warmed(high=low)
            rows.append(_worked(f"{name} of this process", lambda call=warmed: call(high=high)))
    torch.set_num_threads(threads)
    return "| torch swept | seconds | ns a logit |", rows


def _worked(name: str, call: Call) -> Row:
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    return name, f"{seconds:.1f}", f"{seconds / WORKED * 1e9:.1f}"


IMPORT = """
import time
import torch
start = time.process_time()
from conformance.implementations import torch_implementation
print(time.process_time() - start)
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
    rows.append(
        ("import of `torch_implementation`, torch imported before, CPU time", f"{now:.2f}", f"{then:.2f}", f"{now / then:.2f}")
    )
    return "| command | seconds | at the commit before | over it |", rows


PRICES = """
import statistics, time
import numpy as np
from oracle import binary32, binary64, enclosure, judging
n, block = 1 << 20, 1 << 15
rng = np.random.default_rng(1)
def timed(function, z, times):
    parts = [z[i : i + block] for i in range(0, len(z), block)]
    seen = []
    for _ in range(times + 1):
        start = time.process_time()
        for part in parts:
            function(part)
        seen.append((time.process_time() - start) / len(z) * 1e9)
    return statistics.median(seen[1:])
def judge(fmt, judge, exact):
    z = fmt.round_array(rng.normal(size=n if fmt.width == 32 else n // 8) * 10)
    got = fmt.round_array(exact(z))
    place = {float(z[i]): got[i : i + block] for i in range(0, len(z), block)}
    return timed(lambda part: judge(part, place[float(part[0])], fmt), z, 5)
few = -np.abs(rng.normal(size=(n // 8, 4))) * 200
print(judge(binary32, judging.losses, lambda z: np.log1p(np.exp(-z))))
print(judge(binary32, judging.derivatives, lambda z: 1 / (1 + np.exp(z))))
print(judge(binary64, judging.losses, lambda z: np.log1p(np.exp(-z))))
print(timed(lambda z: enclosure.kernel(enclosure.exact(z)), rng.normal(size=n // 4) * 10, 5))
print(timed(lambda p: (enclosure.loss(*p.T, 0.1, 0.1), enclosure.gradient(*p.T, 0.1, 0.1)), few, 5))
"""
PRICED = (
    "a binary32 loss judged",
    "a binary32 derivative judged",
    "a binary64 loss judged",
    "2⁻⁷¹ enclosures of loss and derivative",
    "a pair's loss and four derivatives, enclosed",
)


def prices(rounds: int) -> tuple[str, list[Row]]:
    """The same numbers, in blocks of 2¹⁵, by the commit before and now, one process after the other."""
    ways = {"now": {COMPILED: "1"}, "NumPy": {COMPILED: "0"}}
    seen: dict[str, list[list[float]]] = {"before": [], **{way: [] for way in ways}}
    always = "from oracle import compiled\ncompiled.WORTH = dict.fromkeys(compiled.WORTH, 0)\n"
    with older() as before:
        for _ in range(max(1, rounds // 2)):
            seen["before"].append(run_python(PRICES, extra=before))
            for way, extra in ways.items():
                seen[way].append(run_python(always + PRICES, extra=extra))
    median = {way: [statistics.median(column) for column in zip(*found, strict=True)] for way, found in seen.items()}
    rows = [
        (what, *(f"{x:,.1f}" for x in (a, b, c)), f"{b / a:.2f}")
        for what, a, b, c in zip(PRICED, median["before"], median["now"], median["NumPy"], strict=True)
    ]
    return "| ns a number | at the commit before | now, compiled | now, NumPy | compiled over before |", rows


GROWTH = """
import resource, sys, time
from pathlib import Path
import numpy as np
from oracle import binary32, judging
n, block = int(sys.argv[1]), 1 << 16
judging.losses(np.zeros(1), np.zeros(1), binary32)
start = time.process_time()
for first in range(0, n, block):
    z = binary32.from_ordinals(np.arange(first, min(first + block, n)) + 1_000_000_000)
    judging.losses(z, binary32.round_array(z), binary32)
seconds = time.process_time() - start
status = Path("/proc/self/status")  # ru_maxrss is that of the parent where it was more
lines = status.read_text().splitlines() if status.exists() else []
peak = [float(line.split()[1]) for line in lines if line.startswith("VmHWM")]
print(seconds, (peak or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024)
"""


def growth(rounds: int) -> tuple[str, list[Row]]:
    """The price of a point as their number grows, in processes of their own, of their CPU time: tables and compilation
    included, which a few points pay alone."""
    rows = []
    for power in range(3, 10):
        row = [f"10^{power}"]
        for switch in ("1", "0"):
            extra = {COMPILED: switch}
            seen = [run_python(GROWTH, str(10**power), extra=extra) for _ in range(1 if power > 6 else rounds)]
            seconds, memory = (statistics.median(column) for column in zip(*seen, strict=True))
            row += [f"{seconds / 10**power * 1e9:,.1f}", f"{memory:,.0f}"]
        rows.append(tuple(row))
    return "| binary32 logits made and judged | ns a point with `fast` | peak MiB | ns a point without | peak MiB |", rows
