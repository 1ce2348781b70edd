"""The end-to-end loss and gradient of whole pairs against Arb, with the margin summed exactly and the two-term loss."""

from __future__ import annotations

import numpy as np
from flint import arb, ctx

from oracle import enclosure
from tests.oracle.confront.logits import Floats, Generator, logits
from tests.oracle.confront.tally import Tally

EXACT_BITS, BITS = 4400, 192
BETAS = np.array([1.0, 0.1, 0.5, 0.01, 1e-3, 0.30000001192092896, -0.1, 2.5])
EPSILONS = np.array([0.0, 0.0, 0.0, 1e-3, 0.1, 0.3, 0.5, 0.999, 1.0])
LARGEST = 2.0**14


def draw(rng: Generator, count: int) -> tuple[list[Floats], Floats, Floats]:
    """Four logps, beta, eps: realistic pairs, pairs that cancel to their last bits, numbers of all sizes, given logits."""
    k = count // 4
    ref = -rng.gamma(2.0, 60.0, (2, k))
    policy = ref + rng.normal(0, 8, (2, k))
    realistic = [policy[0], policy[1], ref[0], ref[1]]
    a, b = rng.normal(size=k) * 300, rng.normal(size=k) * 2.0 ** rng.integers(-300, 10, k)
    near = [x * (1 + rng.integers(-3, 4, k) * 2.0**-52) for x in (a, b)]
    cancelling = [a, near[0], b, near[1]]
    sizes = [rng.choice([-1.0, 1.0], k) * np.ldexp(rng.random(k), rng.integers(-1074, 12, k)) for _ in range(4)]
    rest = count - 3 * k
    z = logits(rng, rest)
    z = z[rng.permutation(rest)]
    given = [np.minimum(z, 0), np.minimum(-z, 0), np.zeros(rest), np.zeros(rest)]
    logps = [np.concatenate(parts) for parts in zip(realistic, cancelling, sizes, given, strict=True)]
    beta = rng.choice(BETAS, count)
    beta[3 * k :] = 1.0
    return logps, beta, rng.choice(EPSILONS, count)


def confront(rng: Generator, count: int) -> list[Tally]:
    """Loss and d loss/d policy_chosen of `count` pairs."""
    logps, beta, eps = draw(rng, count)
    balls = enclosure.loss(*logps, beta, eps), enclosure.gradient(*logps, beta, eps)
    tallies = [Tally("loss of a pair"), Tally("gradient of a pair")]
    ctx.prec = EXACT_BITS
    rows = list(zip(*(column.tolist() for column in (*logps, beta, eps)), strict=True))
    exact = [((arb(pc) - arb(pr)) - (arb(rc) - arb(rr))) * arb(b) for pc, pr, rc, rr, b, _ in rows]
    ctx.prec = BITS
    parts = [list(zip(*(p.tolist() for p in (b.head, b.tail, b.exponent, b.radius)), strict=True)) for b in balls]
    for row, z, loss_ball, gradient_ball in zip(rows, exact, *parts, strict=True):
        truths = _truths(z, row[4], row[5])
        for tally, truth, (head, tail, exponent, radius) in zip(tallies, truths, (loss_ball, gradient_ball), strict=True):
            error = abs(truth * arb((1, -exponent)) - head - tail)
            tally.points += 1
            tally.comparisons += 1
            if not error <= radius:
                tally.escaped(f"(pc, pr, rc, rr, beta, eps) = {row!r}")
            if radius:
                tally.worst = max(tally.worst, float(error) / radius)
    return tallies


def _truths(z: arb, beta: float, eps: float) -> tuple[arb, arb]:
    """((1 - eps) softplus(-z) + eps softplus(z), -beta ((1 - eps) sigma(-z) - eps sigma(z)))."""
    y = (-z).exp()
    chosen, rejected = y.log1p(), (1 / y).log1p()
    if eps == 0:
        return chosen, -arb(beta) * (y / (1 + y))
    if eps == 1:
        return rejected, arb(beta) * (1 / (1 + y))
    one, other = 1 - arb(eps), arb(eps)
    return one * chosen + other * rejected, -arb(beta) * ((one * y - other) / (1 + y))
