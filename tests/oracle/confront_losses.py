"""The certified arrays of every loss and of its derivatives against two others: `python -m tests.oracle.confront_losses`.

Arb (Johansson 2017) evaluates the same expressions by its own functions at 200 bits, and two enclosures of one number meet.
mpmath takes differences of the textbook's formulas at 120 digits by steps of 1e-40, right to more than 50: the expression of a
derivative is the derivative. Arguments: points for Arb, losses, formats, points for mpmath; losses and formats with commas, or
`all`. A sort is not differentiable where keys are equal: `untied` says what is compared there.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import flint
import mpmath

from oracle import FORMATS, get_format
from oracle.expressions.arrays import Arrays
from oracle.expressions.nodes import Kernel, Node, Op, walk
from oracle.losses import LOGPS, LOSSES
from oracle.losses._evaluate import slope
from tests.oracle.test_losses import held, moved, reference, reference_held
from tests.oracle.test_losses_bounds import batch, telling

ARB = {
    Op.ADD: lambda x, y: x + y,
    Op.SUBTRACT: lambda x, y: x - y,
    Op.MULTIPLY: lambda x, y: x * y,
    Op.DIVIDE: lambda x, y: x / y,
    Op.NEGATE: lambda x: -x,
    Kernel.SOFTPLUS: lambda x: x.exp().log1p() if x < 0 else x + (-x).exp().log1p(),
    Kernel.SIGMOID: lambda x: 1 / (1 + (-x).exp()),
    Kernel.BUMP: lambda x: 1 / ((2 + x.exp()) + (-x).exp()),
    Kernel.RELU: lambda x: x if x > 0 else flint.arb(0),
    Kernel.STEP: lambda x: flint.arb(int(x > 0)),
    Kernel.SQUARE: lambda x: x * x,
    Kernel.EXP: lambda x: x.exp(),
    Kernel.EXPM1: lambda x: x.expm1(),
    Kernel.LOG: lambda x: x.log(),
    Kernel.LOG1MEXP: lambda x: (-x.expm1()).log(),
    Kernel.ODDS: lambda x: 1 / (-x).expm1(),
}


def arb(x: Fraction) -> flint.arb:
    return flint.arb(flint.fmpq(x.numerator, x.denominator))


def by_arb(node: Node, rows: dict[str, list[flint.arb]], n: int) -> list[flint.arb]:
    known: dict[Node, list[flint.arb]] = {}
    for x in walk(node):
        args = [known[arg] for arg in x.args]
        if x.op in {Op.INPUT, Op.PARAMETER}:
            known[x] = rows[x.name]
        elif x.op is Op.CONSTANT:
            known[x] = [arb(x.value)] * n
        elif x.op in {Op.SPELLED, Op.DETACHED}:
            known[x] = args[0]
        elif x.op in {Op.MEAN, Op.TOTAL}:
            known[x] = [sum(args[0], flint.arb(0)) / (n if x.op is Op.MEAN else 1)] * n
        elif x.op in {Op.SORTED, Op.UNSORTED}:
            places = sorted(range(n), key=lambda i: float(args[1][i].mid()))
            back = [0] * n
            for rank, place in enumerate(places):
                back[place] = rank
            known[x] = [args[0][i] for i in (places if x.op is Op.SORTED else back)]
        else:
            known[x] = [ARB[x.kernel if x.op is Op.KERNEL else x.op](*row) for row in zip(*args, strict=True)]
    return known[node]


def dyadic(value: float, exponent: int) -> flint.arb:
    mantissa, power = value.as_integer_ratio()
    return flint.arb(mantissa) / flint.arb(power) * flint.arb(2) ** exponent


def disagreements(name: str, fmt, points: int, seed: int) -> tuple[int, int]:
    """(compared, apart)."""
    loss, n = LOSSES[name], min(points, 500)
    compared = apart = 0
    for part in range(-(-points // n)):
        rows = {key: row for key, row in batch(fmt, n, seed + part).items() if key in loss.inputs}
        parameters = telling(loss)
        arrays = Arrays(rows, parameters)
        given = {key: [arb(Fraction(x)) for x in row.tolist()] for key, row in rows.items()}
        given |= {key: [arb(x)] * n for key, x in parameters.items()}
        for node in (loss.definition, *(slope(loss, key) for key in loss.logps)):
            ball, theirs = arrays.ball(node), by_arb(node, given, n)
            for i in range(n):
                exponent = int(ball.exponent[i])
                middle = dyadic(float(ball.head[i]), exponent) + dyadic(float(ball.tail[i]), exponent)
                away = abs(middle - theirs[i])
                compared += 1
                apart += bool(away > dyadic(float(ball.radius[i]), exponent))
    return compared, apart


def differences(name: str, fmt, points: int, seed: int) -> tuple[int, int]:
    """(compared, apart) of the derivatives against mpmath's differences."""
    loss = LOSSES[name]
    n = 6 if loss.has_batch_state else min(points, 50)
    compared = apart = 0
    for part in range(-(-points // n)):
        rows = {key: row for key, row in batch(fmt, n, seed + part).items() if key in loss.inputs}
        arrays = Arrays(rows, telling(loss))
        with mpmath.workdps(120):
            environment = {key: [mpmath.mpf(x) for x in row.tolist()] for key, row in rows.items()}
            environment |= {key: [mpmath.mpf(x.numerator) / x.denominator] * n for key, x in telling(loss).items()}
            equal = has_ties(loss, environment, n)
            near, slack = (untied(environment), TIED) if equal else (environment, mpmath.mpf(10) ** -50)
            for key in loss.logps:
                ball = arrays.ball(slope(loss, key))
                for i, difference in enumerate(by_differences(loss, near, key, n)):
                    middle = mpmath.ldexp(mpmath.mpf(ball.head[i]) + mpmath.mpf(ball.tail[i]), int(ball.exponent[i]))
                    radius = mpmath.ldexp(mpmath.mpf(ball.radius[i]), int(ball.exponent[i]))
                    allowed = radius + abs(difference) * slack + (slack if equal else TINY)
                    compared += 1
                    apart += bool(abs(middle - difference) > allowed)
    return compared, apart


def has_ties(loss, environment: dict[str, list], n: int) -> bool:
    """Whether two pairs of the batch have an equal key of a sort."""
    keys = {x.args[1] for x in walk(loss.definition) if x.op is Op.SORTED}
    return any(len(set(reference(key, environment, n))) < n for key in keys)


def untied(environment: dict[str, list]) -> dict[str, list]:
    """The pairs moved apart by 1e-30 a place of the batch, in every difference of the four that a loss sorts by.

    A sum over sorted keys has no derivative where keys are equal: the central difference there is the mean of two one-sided
    slopes. What the oracle gives, the keys in the order of the batch, is a limit of derivatives at pairs whose keys differ, and
    these are such pairs; the slope moves with them by less than its own slope times 1e-29.
    """
    weights = dict(zip(LOGPS, (2, 1, 1, 0), strict=True))
    shift = mpmath.mpf(10) ** -30
    return {key: [x + i * weights.get(key, 0) * shift for i, x in enumerate(row)] for key, row in environment.items()}


def by_differences(loss, environment: dict[str, list], key: str, n: int) -> list:
    """The derivatives of the sum over the batch in one log-probability of each pair; detached parts are held."""
    frozen, step = held(loss.definition, environment, n), mpmath.mpf(10) ** -40
    if loss.has_batch_state:
        moves = [moved(environment, key, i, step) for i in range(n)], [moved(environment, key, i, -step) for i in range(n)]
        up, down = ([mpmath.fsum(reference_held(loss.definition, x, n, frozen)) for x in side] for side in moves)
    else:
        shifted = ({**environment, key: [x + sign * step for x in environment[key]]} for sign in (1, -1))
        up, down = (reference_held(loss.definition, x, n, frozen) for x in shifted)
    return [(x - y) / (2 * step) for x, y in zip(up, down, strict=True)]


TIED = mpmath.mpf(10) ** -24
"""Allowed where keys are equal: 1e-29 times second derivatives, which a batch of a sorted loss keeps below 1e5."""
TINY = mpmath.mpf(10) ** -70
"""What 120 digits leave of a difference by 2e-40 of numbers up to 1e10."""


def main() -> None:
    asked = [*sys.argv[1:], *("10000", "all", "all", "200")[len(sys.argv) - 1 :]]
    points, fewer = int(float(asked[0])), int(float(asked[3]))
    names = sorted(LOSSES) if asked[1] == "all" else asked[1].split(",")
    formats = FORMATS if asked[2] == "all" else [get_format(name) for name in asked[2].split(",")]
    flint.ctx.prec = 200
    total = wrong = derived = false = 0
    for name in names:
        for fmt in formats:
            began = time.perf_counter()
            compared, apart = disagreements(name, fmt, points, 7)
            total, wrong = total + compared, wrong + apart
            slopes, off = differences(name, fmt, fewer, 70) if fewer else (0, 0)
            derived, false = derived + slopes, false + off
            told = f"{compared:8} numbers, {apart} apart; {slopes:6} derivatives, {off} apart"
            print(f"{name:18} {fmt.name:9} {told}, {time.perf_counter() - began:.1f} s", flush=True)
    print(f"{total} numbers against Arb, {wrong} apart; {derived} derivatives against mpmath, {false} apart")
    sys.exit(bool(wrong or false))


if __name__ == "__main__":
    main()
