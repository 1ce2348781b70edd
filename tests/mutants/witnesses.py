"""Inputs on which mutants show: small, readable, exact in the format that is asked for."""

from __future__ import annotations

import math

import numpy as np

from conformance.inputs.batch import Batch
from oracle import Format

from .kinds import Witness

PAIRS = (
    (-2.0, -6.0, -3.0, -1.5, -2.0, -5.0),
    (-5.0, -4.0, -8.0, -3.0, -5.0, -4.0),
    (-3.0, -4.5, -2.0, -2.5, -5.0, -7.0),
    (-4.0, -6.0, -4.5, -2.0, -2.0, -3.0),
)
"""Six pairs, margins 2, -3.5, 2.5, 2, 6 and 3; every difference is exact in every format."""
TAILS = (0.5, 2, 5, 6.5, 8.5, 9, 12, 15.5, 17, 18, 20.5, 25, 30, 37.5, 40, 60, 85, 88, 89, 96, 110, 300, 700, 1e4, 3e4)


def pairs(beta: float = 0.1, eps: float = 0.0) -> Witness:
    """The six pairs."""
    return lambda _: (Batch.of(*PAIRS, beta=beta, label_smoothing=eps),)


def logits(*z: float, eps: float = 0.0) -> Witness:
    """Logits fed exactly, rounded into the format."""
    return lambda fmt: (Batch.at_logits(fmt.round_array(np.array(z)), label_smoothing=eps),)


def one(pc: float, pr: float, rc: float, rr: float, beta: float = 0.1, eps: float = 0.0) -> Witness:
    """One pair."""
    return lambda fmt: (Batch.of(*fmt.round_array([[pc], [pr], [rc], [rr]]), beta=beta, label_smoothing=eps),)


def both(*witnesses: Witness) -> Witness:
    """One witness after the other."""
    return lambda fmt: tuple(batch for witness in witnesses for batch in witness(fmt))


tails = logits(*TAILS, *(-z for z in TAILS), 0.0)
"""Both tails, on a grid that meets every usual threshold."""
options = both(*(pairs(beta, eps) for beta in (0.1, 0.5, 2.0) for eps in (0.0, 0.1, 0.3)))
"""The six pairs under three betas and three label smoothings."""
infinite = logits(math.inf, -math.inf, 1.0)
"""Infinite logits, from one infinite policy log-probability."""
nan = logits(math.nan, 1.0)
"""A NaN chosen log-probability beside a number."""


coarse = one(-259.0, -257.0, -257.0, -259.0, beta=1.0)
"""Margin -4; with logps rounded to bfloat16 it is -8, with the reference alone -6."""


def batch_of(count: int, *, beta: float = 0.1, eps: float = 0.0, seed: int = 1) -> Witness:
    """That many realistic pairs: reference log-probabilities of -5 to -60, the policy within a few nats of them."""

    def witness(fmt: Format) -> tuple[Batch, ...]:
        generator = np.random.default_rng(seed)
        reference = generator.uniform(-60, -5, (2, count))
        policy = reference + generator.normal(1.0, 4.0, (2, count)) * [[1.0], [-1.0]]
        logps = fmt.round_array(np.minimum(np.concatenate([policy, reference]), -0.125))
        return (Batch.of(*logps, beta=beta, label_smoothing=eps),)

    return witness


def twice(first: Witness, count: int = 2) -> Witness:
    """The same witness again and again: state shows."""
    return both(*[first] * count)


def few(count: int, place: int, *, beta: float = 1.0, eps: float = 0.0, size: float = 48.0) -> Witness:
    """So many pairs, the one at that place lost by `size` nats; the others are won by so much that their losses are 0.

    At place -1 there is none. Under label smoothing they are won by 32 nats.
    """

    def witness(fmt: Format) -> tuple[Batch, ...]:
        pc, pr = np.zeros(count), np.full(count, -(2.0**15) if not eps else -32.0)
        if place >= 0:
            pc[place], pr[place] = -size, 0.0
        return (Batch.of(pc, pr, beta=beta, label_smoothing=eps),)

    return witness


def repeated(count: int, *, eps: float = 0.0) -> Witness:
    """Five of the six pairs again and again, at beta = 0.5, so that no power of two is a whole number of rounds."""

    def witness(_: Format) -> tuple[Batch, ...]:
        places = np.arange(count) % 5
        return (Batch.of(*PAIRS, beta=0.5, label_smoothing=eps).take(places),)

    return witness


def one_among_many(value: float) -> Witness:
    """The six pairs again and again, of which one chosen log-probability is that."""
    logps = np.tile(PAIRS, 20)
    logps[0, 70] = value
    return lambda _: (Batch.of(*logps, beta=0.5),)


def tied(beta: float, eps: float = 0.0) -> Witness:
    """Pairs whose chosen and rejected are the same numbers, no product of which with 0.1 is exact."""
    places = np.arange(40)
    chosen = -2.0 - places / 8
    reference = chosen + (places * 7 % 23 - 11) / 8
    return lambda _: (Batch.of(chosen, chosen, reference, reference, beta=beta, label_smoothing=eps),)


calls = logits(0.5, -1.5, 1.0, -0.25, 2.0, -1.0, 0.75, 1.5)
"""Eight logits, fed exactly, so that what is allowed is a few ulps in every format."""


def constant(eps: float = 0.0) -> Witness:
    """Pairs whose reference, and pairs whose policy, is one number for all: what can be expanded."""
    varied, other = np.array([-2.0, -5.0, -3.5, -4.25]), np.array([-3.0, -3.5, -5.5, -2.5])
    return lambda _: (
        Batch.of(varied, other, -3.0, -5.0, beta=1.0, label_smoothing=eps),
        Batch.of(-3.0, -5.0, varied, other, beta=1.0, label_smoothing=eps),
    )
