"""The PyTorch reference beside what a user would write: the loss, and the log-probabilities at V = 151,936.

    python -m benchmarks.reference              the loss of 10**6 pairs in float32, forward and backward
    python -m benchmarks.reference --compiled   the same compiled, beside torch's as it is and compiled
    python -m benchmarks.reference --sequence   128 tokens, float32 and bfloat16 logits, forward and backward
    python -m benchmarks.reference --memory     what the second takes beyond its logits, at the peak, in multiples of them

Both are run in turn, on one thread; processor time of the fastest and of the median run, of which the ratio counts.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone names it

from oracle.reference.sequence_torch import sequence_logps
from oracle.reference.torch import dpo_loss

V, TOKENS, PAIRS = 151_936, 128, 10**6


def in_turn(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> None:
    found: list[tuple[float, float]] = []
    for _ in range(runs + 1):
        times = []
        for function in (ours, theirs):
            start = time.process_time()
            function()
            times.append(1e3 * (time.process_time() - start))
        found.append((times[0], times[1]))
    for name, of in (("fastest", min), ("median", statistics.median)):
        one, other = (of(run[i] for run in found[1:]) for i in (0, 1))  # the first warms up
        print(f"  {name:8} reference {one:8.2f} ms   torch {other:8.2f} ms   {one / other:.2f} times as long")


def loss(*, compiled: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    policy, rejected, ref, ref_rejected = (-1 - 20 * torch.rand(PAIRS, generator=generator) for _ in range(4))

    def run(function: Callable[..., torch.Tensor]) -> None:
        leaves = [x.detach().requires_grad_() for x in (policy, rejected)]
        function(*leaves, ref, ref_rejected).backward()

    def ours(pc: torch.Tensor, pr: torch.Tensor, rc: torch.Tensor, rr: torch.Tensor) -> torch.Tensor:
        return dpo_loss(pc, pr, rc, rr, 0.1, reduction="mean")

    def theirs(pc: torch.Tensor, pr: torch.Tensor, rc: torch.Tensor, rr: torch.Tensor) -> torch.Tensor:
        return -F.logsigmoid(0.1 * ((pc - rc) - (pr - rr))).mean()

    print(f"dpo_loss beside -F.logsigmoid, {PAIRS:,} pairs, float32, forward and backward{', compiled' * compiled}")
    if compiled:
        mine, other = torch.compile(ours), torch.compile(theirs)
        in_turn(lambda: run(mine), lambda: run(theirs), 30)
        print("and -F.logsigmoid compiled too")
        in_turn(lambda: run(mine), lambda: run(other), 30)
    else:
        in_turn(lambda: run(ours), lambda: run(theirs), 30)


def tokens(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(1, TOKENS, V, generator=generator)
    return logits.to(dtype), torch.randint(0, V, (1, TOKENS), generator=generator)


def once(name: str, logits: torch.Tensor, labels: torch.Tensor) -> None:
    leaf = logits.detach().requires_grad_()
    if name == "reference":
        sequence_logps(leaf, labels).sum().backward()
    else:
        torch.log_softmax(leaf.float(), -1).gather(-1, labels[..., None]).sum().backward()


def sequence() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        given = tokens(dtype)
        print(f"sequence_logps beside log_softmax and gather in float32, {TOKENS} tokens, V = {V:,}, {dtype} logits")
        in_turn(lambda given=given: once("reference", *given), lambda given=given: once("torch", *given), 7)  # type: ignore[misc]


def memory() -> None:
    """Each in a process of its own: the peak above what the logits have left it at."""
    for dtype in ("float32", "bfloat16"):
        for name in ("reference", "torch"):
            command = [sys.executable, "-m", "benchmarks.reference", "--peak", name, dtype]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def peak(name: str, dtype: str) -> None:
    logits, labels = tokens(getattr(torch, dtype))
    once(name, logits[:, :1], labels[:, :1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ballast = torch.ones(1)  # the peak so far is that of drawing the logits: fill up to it
    now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() // 1024
    if before > now:
        ballast = torch.ones((before - now) * 256)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    once(name, logits, labels)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    size = logits.numel() * logits.element_size()
    beside = f"beside {ballast.numel() * 4e-6:.0f} MB"
    print(f"{dtype:9} {name:10} {more / size:5.2f} times the {size / 1e6:.0f} MB of the logits, {beside}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--sequence", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", nargs=2, metavar=("NAME", "DTYPE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.peak:
        peak(*chosen.peak)
    elif chosen.memory:
        memory()
    elif chosen.sequence:
        sequence()
    else:
        loss(compiled=chosen.compiled)


if __name__ == "__main__":
    main()
