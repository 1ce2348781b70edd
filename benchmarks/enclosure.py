"""Nanoseconds an element of every certified function, beside plain float64, mpmath and Arb.

Run: python -m benchmarks.enclosure
Best of five over a million elements (fewer for the scalar libraries), one process, one thread.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

import mpmath
import numpy as np

from oracle import enclosure
from oracle.formats import binary32, binary64

COUNT = 1_000_000


def nanoseconds(call: Callable[[], object], count: int, repeats: int = 5) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best / count * 1e9


def scalar_libraries(z: np.ndarray) -> dict[str, float]:
    values = z[:5000].tolist()
    found = {}
    with mpmath.workprec(120):
        found["mpmath, 120 bits"] = nanoseconds(lambda: [mpmath.log1p(mpmath.exp(-v)) for v in values], len(values), 2)
    try:
        from flint import arb, ctx  # noqa: PLC0415
    except ImportError:
        return found
    ctx.prec = 120
    found["Arb, 120 bits"] = nanoseconds(lambda: [(-arb(v)).exp().log1p() for v in values], len(values))
    return found


def main() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=COUNT) * 10
    logps = [-np.abs(rng.normal(size=COUNT)) * 200 for _ in range(4)]
    f, _ = enclosure.kernel(z)
    got = np.log1p(np.exp(-z))
    exact = enclosure.exact(z)
    calls: dict[str, Callable[[], object]] = {
        "plain log1p(exp(-z)), no certificate": lambda: np.log1p(np.exp(-z)),
        "kernel: loss and slope of a logit": lambda: enclosure.kernel(exact),
        "margin": lambda: enclosure.margin(*logps),
        "logit": lambda: enclosure.logit(*logps, 0.1),
        "loss, four logps": lambda: enclosure.loss(*logps, 0.1),
        "loss, four logps, smoothed": lambda: enclosure.loss(*logps, 0.1, 0.1),
        "gradient, four logps": lambda: enclosure.gradient(*logps, 0.1, 0.1),
        "round into binary32": lambda: enclosure.round(f, binary32),
        "ulp errors in binary64": lambda: enclosure.ulp_errors(f, got, binary64),
        "compare": lambda: enclosure.compare(f, got),
    }
    print(f"{platform.processor() or platform.machine()}, NumPy {np.__version__}, {COUNT} elements")
    for name, call in calls.items():
        print(f"{name:40s}{nanoseconds(call, COUNT):10.1f} ns")
    for name, cost in scalar_libraries(z).items():
        print(f"{name:40s}{cost:10.1f} ns")


if __name__ == "__main__":
    main()
