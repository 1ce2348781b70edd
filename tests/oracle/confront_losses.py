"""The certified arrays of every loss and of its derivatives against Arb's balls: `python -m tests.oracle.confront_losses`.

Arb (Johansson 2017) evaluates the same expressions by its own functions at 200 bits; that a derivative's expression is the
derivative is test_losses' business. Two enclosures of one number meet. Arguments: points, losses, a format.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import flint

from oracle import FORMATS, get_format
from oracle.expressions.arrays import Arrays
from oracle.expressions.nodes import Kernel, Node, Op, walk
from oracle.losses import LOSSES
from oracle.losses._evaluate import slope
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


def main() -> None:
    points = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10_000
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else sorted(LOSSES)
    formats = [get_format(sys.argv[3])] if len(sys.argv) > 3 else FORMATS
    flint.ctx.prec = 200
    total = wrong = 0
    for name in names:
        for fmt in formats:
            began = time.perf_counter()
            compared, apart = disagreements(name, fmt, points, 7)
            total, wrong = total + compared, wrong + apart
            print(
                f"{name:18} {fmt.name:9} {compared:8} numbers, {apart} apart, {time.perf_counter() - began:.1f} s", flush=True
            )
    print(f"{total} numbers, {wrong} apart")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
