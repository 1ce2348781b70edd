"""How long one DPO loss takes: by the oracle, by bare mpmath, by Arb and by MPFR, side by side in one run.

    python benchmarks/oracle_speed.py [--points N] [--rounds N] [--seed N]

The inputs are logits z from binary64, the loss is log(1 + exp(-z)). Each round times every contender once over all the
points, in a new random order, so that a slow moment of the machine hits all alike; the table gives the median over the
rounds, in microseconds a loss. Only the oracle certifies or rounds its answer; Arb certifies an enclosure. Every
contender's value is checked against the oracle's before anything is timed.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import flint
import gmpy2
import mpmath
import numpy as np
from rich.console import Console
from rich.table import Table

import oracle
from oracle import Real

BITS = 120
Contender = Callable[[float], object]


def with_real(ask: Callable[[Real], object]) -> Contender:
    """The oracle from an exact logit: what one element costs once its arguments are read."""
    return lambda z: ask(Real.softplus(-Fraction(z)))


def from_four_logps(z: float) -> object:
    """The oracle's public function, arguments read and checked."""
    loss = oracle.loss(z, 0.0, 0.0, 0.0, beta=1.0)
    assert isinstance(loss, Real)
    return loss.round("binary64")


def bare_mpmath(z: float) -> object:
    """mpmath as its documentation shows it."""
    return mpmath.mp.log1p(mpmath.mp.exp(-mpmath.mpf(z)))


def by_arb(z: float) -> flint.arb:
    """A ball at BITS bits."""
    return (-flint.arb(z)).exp().log1p()


def by_mpfr(z: float) -> object:
    """MPFR through gmpy2, each call correctly rounded to BITS bits; the composition is not certified."""
    return gmpy2.log1p(gmpy2.exp(-gmpy2.mpfr(z)))


CONTENDERS: dict[str, Contender] = {
    "oracle, four logps to a correctly rounded binary64": from_four_logps,
    "oracle, logit to a correctly rounded bfloat16": with_real(lambda x: x.round("bfloat16")),
    "oracle, logit to a correctly rounded binary64": with_real(lambda x: x.round("binary64")),
    f"oracle, logit to a certified interval of {BITS} bits": with_real(lambda x: x.enclose(BITS)),
    f"mpmath, {BITS} bits, not certified": bare_mpmath,
    f"Arb (python-flint), a certified ball of {BITS} bits": by_arb,
    f"MPFR (gmpy2), {BITS} bits, not certified": by_mpfr,
}
BASELINE = f"mpmath, {BITS} bits, not certified"


def check(points: Sequence[float]) -> None:
    """Every contender gives the oracle's loss to at least 100 bits, or what it rounds to."""
    for z in points[:200]:
        exact = Real.softplus(-Fraction(z)).enclose(BITS).low.fraction()
        with mpmath.workprec(200):
            want = mpmath.mpf(exact.numerator) / exact.denominator
            arb = mpmath.mpf(by_arb(z).mid().str(50, radius=False))
            for got in (bare_mpmath(z), mpmath.mpf(str(by_mpfr(z))), arb):
                assert abs(got - want) <= want * mpmath.mpf(2) ** -100, z
        assert from_four_logps(z) == float(exact)


def measure(points: Sequence[float], rounds: int, order: random.Random) -> dict[str, list[float]]:
    """Seconds a loss, for each contender and round."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in order.sample(list(CONTENDERS), len(CONTENDERS)):
            contender = CONTENDERS[name]
            start = time.perf_counter()
            for z in points:
                contender(z)
            seconds[name].append((time.perf_counter() - start) / len(points))
    return seconds


def machine() -> str:
    """Processor, Python and library versions, in one line."""
    names = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in names if line.startswith("model name")), "")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("mpmath", "python-flint", "gmpy2", "numpy"))
    backend = f"mpmath on {mpmath.libmp.BACKEND} integers"
    return f"{model or platform.machine()}; Python {platform.python_version()}; {libraries}; {backend}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--points", type=int, default=2000, help="logits a round (default 2000)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds; the median is printed (default 9)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    mpmath.mp.prec = flint.ctx.prec = gmpy2.get_context().precision = BITS
    rng = np.random.default_rng(options.seed)
    points = rng.normal(0.0, 8.0, options.points).tolist()
    check(points)
    seconds = measure(points, options.rounds, random.Random(options.seed))

    medians = {name: statistics.median(values) * 1e6 for name, values in seconds.items()}
    table = Table(title=f"One loss, median of {options.rounds} rounds of {options.points} logits")
    for column in ("", "µs a loss", "slowest round", "against bare mpmath"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name, median in medians.items():
        slowest = max(seconds[name]) * 1e6
        table.add_row(name, f"{median:.1f}", f"{slowest:.1f}", f"{median / medians[BASELINE]:.2f} x")
    console = Console(width=max(Console().width, 110))
    console.print(table)
    console.print(machine(), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
