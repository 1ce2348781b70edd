"""The oracle against Arb: more than 10**5 pairs a format, each quantity correctly rounded by both, no disagreement.

Run as a program, this file prints the number of pairs, of comparisons and of disagreements for each format, and how Arb
decided them.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from arb import SHAPES, Shape, correctly_rounded, dyad, ends, pattern, rational
from flint import arb, ctx, fmpq
from numpy.typing import NDArray

import oracle

pytestmark = pytest.mark.no_cover  # millions of times through lines that other tests cover

Rows = NDArray[np.float64]
"""Shape (n, 6): policy_chosen, policy_rejected, ref_chosen, ref_rejected, beta, label_smoothing."""

BETAS = np.array([1.0, 0.1, 0.5, 0.01, 1e-6, 1e3, 0.30000001192092896, -0.1])
EXTREME_BETAS = np.array([1e-300, 5e-324, 1e300, -1e300, 1e3, 0.0])
EPSILONS = np.array([0.0, 0.0, 0.0, 1e-3, 0.1, 0.3, 0.5, 1.0])
DTYPES = {"binary16": np.float16, "bfloat16": ml_dtypes.bfloat16, "binary32": np.float32, "binary64": np.float64}


def into(shape: Shape, values: Rows) -> Rows:
    """Values moved to numbers of the format, the finite ones nearby."""
    with np.errstate(over="ignore"):
        moved = values.astype(DTYPES[shape.name]).astype(np.float64)
    return np.where(np.isfinite(moved), moved, 1.0)


def numbers(shape: Shape, rng: np.random.Generator, size: Any) -> Rows:
    """Finite numbers of the format, uniform over its bit patterns: every binade and the subnormals."""
    patterns = rng.integers(0, shape.infinity, size=size, dtype=np.uint64)
    values = np.array([shape.decode(int(p)) for p in patterns.flat]).reshape(patterns.shape)
    return values * rng.choice([-1.0, 1.0], size=size)


def with_parameters(shape: Shape, rng: np.random.Generator, logps: Rows, betas: Rows = BETAS) -> Rows:
    """Four logps with random beta and label_smoothing."""
    n = len(logps)
    return np.column_stack([logps, rng.choice(betas, n), rng.choice(EPSILONS, n)])


def from_logits(z: Rows) -> Rows:
    """z fed exactly through non-positive logps: z >= 0 as policy_rejected = -z, z < 0 as policy_chosen = z."""
    zero = np.zeros_like(z)
    return np.column_stack([np.minimum(z, 0), np.minimum(-z, 0), zero, zero])


def every_logit(shape: Shape, rng: np.random.Generator) -> Rows:
    """Every finite number of a 16-bit format as z; 60,000 numbers of a wide one. beta = 1 on half of the rows."""
    if shape.width == 16:
        z = np.array([shape.decode(p) for p in range(2**16)])
        z = z[np.isfinite(z)]
    else:
        near = rng.choice([-1.0, 1.0], 30_000) * np.exp(rng.uniform(-8, 6.8, 30_000))
        z = np.concatenate([numbers(shape, rng, 30_000), into(shape, near)])
    rows = with_parameters(shape, rng, from_logits(z))
    plain = rng.random(len(z)) < 0.5
    rows[plain, 4:] = (1.0, 0.0)
    return rows


def realistic(shape: Shape, rng: np.random.Generator) -> Rows:
    """Logps of responses: -500 to 0, the policy within a few nats of the reference."""
    ref = -rng.gamma(2.0, 60.0, (8_000, 2))
    policy = np.minimum(ref + rng.normal(0, 8, ref.shape), 0)
    return with_parameters(shape, rng, into(shape, np.column_stack([policy, ref])))


def cancellation(shape: Shape, rng: np.random.Generator) -> Rows:
    """Margins of a few units in the last place of large logps, and margins that are exactly zero."""
    base = into(shape, -np.exp(rng.uniform(0, 9, (6_000, 2))))
    ulps = rng.integers(-3, 4, base.shape)
    policy = into(shape, base * (1 + ulps * 2.0 ** (1 - shape.precision)))
    return with_parameters(shape, rng, np.column_stack([policy, base]))


def mixed_magnitudes(shape: Shape, rng: np.random.Generator) -> Rows:
    """Four numbers uniform over the bit patterns, with moderate betas."""
    return with_parameters(shape, rng, numbers(shape, rng, (5_000, 4)))


def huge(shape: Shape, rng: np.random.Generator) -> Rows:
    """|z| from nothing to 1e600: numbers uniform over the bit patterns, with extreme betas."""
    return with_parameters(shape, rng, numbers(shape, rng, (5_000, 4)), EXTREME_BETAS)


def midpoint_arguments(shape: Shape, rng: np.random.Generator) -> Rows:
    """|margin| = t, t a midpoint of the format, or off it by the format's least numbers; mostly beta = 1."""
    n = 6_000
    t = into(shape, np.exp(rng.uniform(0, math.log(min(1e12, 2.0**shape.emax)), n)))
    half = np.ldexp(1.0, np.frexp(t)[1] - 1 - shape.precision)
    off = rng.choice([0.0, 0.0, 2.0 ** (shape.emin - shape.precision + 1), -(2.0 ** (shape.emin))], n)
    logps = np.column_stack([-t, np.zeros(n), np.where(half >= 2.0**shape.emin, half, 0), off])
    swap = rng.random(n) < 0.3
    logps[swap] = logps[swap][:, [1, 0, 3, 2]]
    rows = with_parameters(shape, rng, logps)
    kind = rng.random(n)
    rows[kind < 0.7, 4:] = (1.0, 0.0)
    rows[kind > 0.8, 4:] = (0.0, 1.0)  # beta = 0: the derivative in beta is margin / 2, an exact tie to break
    return rows


def midpoint(shape: Shape, place: int) -> fmpq:
    """The exact midpoint between the numbers at bit patterns place and place + 1."""
    return (rational(shape.decode(place)) + rational(shape.decode(place + 1))) / 2


def split(shape: Shape, z: arb) -> list[float]:
    """Four numbers of the format, pc, pr, rc, rr, whose margin is z as nearly as their digits allow."""
    parts, rest = [], dyad_fraction(z)
    for _ in range(4):
        part = shape.decode(pattern(shape, dyad(rest)))
        parts.append(part)
        rest -= rational(part)
    return [parts[0], -parts[2], -parts[1], parts[3]]


def dyad_fraction(ball: arb) -> fmpq:
    """The exact midpoint of a ball."""
    bounds = ends(ball.mid())
    assert bounds is not None
    man, exp = bounds[0]
    return fmpq(man * 2 ** max(exp, 0), 2 ** max(-exp, 0))


def near_midpoints(
    shape: Shape, rng: np.random.Generator, top: float, solve: Callable[[arb], arb], eps: float = 0.0, n: int = 3_000
) -> Rows:
    """Pairs whose quantity is as near to a midpoint, drawn below `top`, as four logps of the format can bring it."""
    last = pattern(shape, dyad(rational(top)))
    uniform = rng.integers(0, last, n // 2)
    common = rng.integers(pattern(shape, dyad(rational(2.0**-10))), last, n - n // 2)
    rows = np.empty((n, 6))
    with ctx.workprec(700):
        for row, place in zip(rows, np.concatenate([uniform, common]), strict=True):
            row[:4] = split(shape, solve(arb(midpoint(shape, int(place)))))
            row[4:] = (1.0, eps)
    assert np.isfinite(rows).all()
    return rows


def near_midpoint_losses(shape: Shape, rng: np.random.Generator) -> Rows:
    """softplus(-z) = y, so z = -log(exp(y) - 1)."""
    return near_midpoints(shape, rng, 64.0, lambda y: -(y.expm1().log()))


def near_midpoint_gradients(shape: Shape, rng: np.random.Generator) -> Rows:
    """sigma(-z) = y, so z = log((1 - y) / y)."""
    return near_midpoints(shape, rng, 1.0, lambda y: ((1 - y) / y).log())


def near_midpoint_second_derivatives(shape: Shape, rng: np.random.Generator) -> Rows:
    """sech(z/2)**2 / 4 = y, so z = 2 acosh(1 / (2 sqrt(y)))."""
    return near_midpoints(shape, rng, 0.25, lambda y: 2 * (1 / (2 * y.sqrt())).acosh(), n=1_000)


def near_midpoint_smoothed_slopes(shape: Shape, rng: np.random.Generator) -> Rows:
    """With eps = 1/2 the slope is tanh(z/2) / 2 = y, so z = 2 atanh(2 y)."""
    return near_midpoints(shape, rng, 0.5, lambda y: 2 * (2 * y).atanh(), eps=0.5, n=1_000)


def subnormal_results(shape: Shape, rng: np.random.Generator) -> Rows:
    """Losses and gradients between a quarter of the least subnormal and four times the least normal number."""
    low = -(shape.emin + 2) * math.log(2)
    high = -(shape.emin - shape.precision - 1) * math.log(2)
    rows = with_parameters(shape, rng, from_logits(into(shape, rng.uniform(low, high, 3_000))))
    rows[:, 4:] = (1.0, 0.0)
    return rows


FAMILIES = (
    every_logit,
    realistic,
    cancellation,
    mixed_magnitudes,
    huge,
    midpoint_arguments,
    near_midpoint_losses,
    near_midpoint_gradients,
    near_midpoint_second_derivatives,
    near_midpoint_smoothed_slopes,
    subnormal_results,
)
PARTS = 4
"""every_logit is cut in parts, so that two processes finish together."""
CASES = [(family, part) for family in FAMILIES for part in range(PARTS if family is every_logit else 1)]


def rows_of(shape: Shape, family: Callable[..., Rows], part: int) -> Rows:
    """The same rows on every run: the seed is the place of the family and of the format."""
    rng = np.random.default_rng([2023, FAMILIES.index(family), list(SHAPES).index(shape.name)])
    rows = family(shape, rng)
    return rows[part::PARTS] if family is every_logit else rows


def compare(shape: Shape, rows: Rows) -> tuple[Counter[str], list[str]]:
    """How Arb decided each comparison, and a line for each disagreement.

    Every row: the loss and the policy's gradient. Every fifth row also the derivative in beta, the second derivative.
    """
    keywords = {"beta": rows[:, 4], "label_smoothing": rows[:, 5]}
    columns = tuple(rows[:, :4].T)
    gradient = oracle.gradient(*columns, **keywords)
    fifth = rows[::5]
    second = oracle.second_derivative(*fifth[:, :4].T, beta=fifth[:, 4], label_smoothing=fifth[:, 5])
    sides = [
        ("loss", rows, oracle.loss(*columns, **keywords)),
        ("policy_gradient", rows, gradient.policy_chosen),
        ("beta_derivative", fifth, gradient.beta[::5]),
        ("second_derivative", fifth, second),
    ]
    ways: Counter[str] = Counter()
    lines = []
    for name, inputs, reals in sides:
        theirs = correctly_rounded(shape, (tuple(map(float, row)) for row in inputs), name)
        for row, real, (want, how) in zip(inputs, reals, theirs, strict=True):
            got = real.round(shape.name)
            ways[how] += 1
            if got != want or math.copysign(1, got) != math.copysign(1, want):
                lines.append(f"{shape.name} {name} {row.tolist()}: oracle {got!r}, Arb {want!r} ({how})")
    return ways, lines


@pytest.mark.parametrize(("family", "part"), CASES, ids=[f"{family.__name__}-{part}" for family, part in CASES])
@pytest.mark.parametrize("name", SHAPES)
def test_the_oracle_and_arb_round_alike(
    name: str, family: Callable[..., Rows], part: int, record_property: Callable[[str, object], None]
) -> None:
    rows = rows_of(SHAPES[name], family, part)
    ways, disagreements = compare(SHAPES[name], rows)
    record_property("pairs", len(rows))
    record_property("comparisons", sum(ways.values()))
    record_property("disagreements", len(disagreements))
    assert disagreements == []


@pytest.mark.parametrize("name", SHAPES)
def test_more_than_a_hundred_thousand_pairs(name: str) -> None:
    shape = SHAPES[name]
    drawn = sum(len(rows_of(shape, family, part)) for family, part in CASES if not family.__name__.startswith("near_"))
    assert drawn + 2 * 3_000 + 2 * 1_000 > 100_000


def test_near_midpoints_need_more_than_128_bits() -> None:
    rows = rows_of(SHAPES["binary64"], near_midpoint_losses, 0)[1_500:2_000]
    theirs = correctly_rounded(SHAPES["binary64"], (tuple(map(float, row)) for row in rows), "loss")
    ways = Counter(how for _, how in theirs)
    assert ways["512"] > 0.9 * len(rows)


@pytest.mark.parametrize("name", SHAPES)
def test_arbs_own_rounding_agrees_with_numpys_casts(name: str) -> None:
    shape = SHAPES[name]
    rng = np.random.default_rng(5)
    source = np.float32 if name == "bfloat16" else np.float64
    values = np.concatenate([numbers(SHAPES["binary64"], rng, 500), numbers(shape, rng, 1_500) * 1.0000001])
    with np.errstate(over="ignore", under="ignore"):
        values = values.astype(source)
        cast = values.astype(DTYPES[name]).astype(np.float64)
    finite = np.isfinite(values)
    ours = [shape.decode(pattern(shape, dyad(rational(float(v))))) for v in values[finite]]
    assert ours == cast[finite].tolist()


def main() -> None:
    """Print the table of pairs, comparisons and disagreements."""
    print(f"{'format':10}{'pairs':>9}{'comparisons':>13}{'disagreements':>15}{'seconds':>9}   decided by")
    for shape in SHAPES.values():
        start, pairs, ways, lines = time.perf_counter(), 0, Counter[str](), list[str]()
        for family, part in CASES:
            rows = rows_of(shape, family, part)
            more_ways, more_lines = compare(shape, rows)
            pairs, ways, lines = pairs + len(rows), ways + more_ways, lines + more_lines
        seconds = time.perf_counter() - start
        how = ", ".join(f"{key}: {count}" for key, count in sorted(ways.items()))
        print(f"{shape.name:10}{pairs:9}{sum(ways.values()):13}{len(lines):15}{seconds:9.0f}   {how}")
        print(*lines[:10], sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
