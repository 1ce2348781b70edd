"""Preference pairs: realistic log-probabilities of whole responses, and adversarial ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.inputs.batch import Batch
from oracle import Format
from oracle.formats import Floats

BETAS = (0.1, 0.01, 0.5, 1.0, 5.0)
SMOOTHINGS = (0.0, 1e-3, 0.1, 0.3, 0.5)


def tutorial() -> Batch:
    """The tutorial's four pairs: log-ratios 1 and -1, -1, 1, -1; margins 2, 2, 0, 2."""
    return Batch.of([-45, -50, -48, -52], [-48, -52, -46, -55], [-46, -51, -49, -53], [-47, -51, -47, -54])


def golden() -> Batch:
    """Three pairs with margins 2, 5, 4 whose mean loss the documentation gives to 20 digits."""
    return Batch.of([-10, -20, -5], [-12, -25, -9], [-11, -19, -5], [-11, -19, -5])


def _lengths(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Magnitudes of a chosen and a rejected response's logp: log-uniform in 5 ... 20,000 nats, and correlated."""
    chosen = np.exp(rng.uniform(np.log(5), np.log(20_000), n))
    return chosen, np.minimum(chosen * np.exp(rng.normal(0, 0.3, n)), 20_000)


def near_reference(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """The policy has drifted from the reference by about a nat, as early in training."""
    chosen, rejected = _lengths(n, rng)
    drift_c, drift_r = rng.normal(0, 1, n), rng.normal(0, 1, n)
    return _rounded(fmt, -chosen + drift_c, -rejected + drift_r, -chosen, -rejected)


def far_from_reference(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """The policy has drifted by up to a fifth of the log-probability, as late in a long training."""
    chosen, rejected = _lengths(n, rng)
    shift_c, shift_r = chosen * rng.uniform(-0.2, 0.2, n), rejected * rng.uniform(-0.2, 0.2, n)
    return _rounded(fmt, -chosen + shift_c, -rejected + shift_r, -chosen, -rejected)


def short_responses(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """A few tokens each: log-probabilities of 0.01 ... 30 nats, independent of each other."""
    return _rounded(fmt, *(-np.exp(rng.uniform(np.log(0.01), np.log(30), n)) for _ in range(4)))


def cancelling(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """The four log-probabilities lie a few ulps from each other: nearly all of the margin cancels."""
    base = fmt.ordinals(fmt.round_array(-_lengths(n, rng)[0]))
    return Batch.of(*(fmt.from_ordinals(base + rng.integers(-6, 7, n)) for _ in range(4)))


def mixed_magnitudes(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """Each log-probability of its own magnitude, 1e-4 ... 20,000 nats."""
    return _rounded(fmt, *(-np.exp(rng.uniform(np.log(1e-4), np.log(20_000), n)) for _ in range(4)))


def one_sided(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """Three log-probabilities are 0 and one of the policy's is -1 ... -20,000 nats: the margin is exact, of either sign."""
    margin = fmt.round_array(np.exp(rng.uniform(0, np.log(20_000), n)))
    up = rng.integers(0, 2, n).astype(bool)
    return Batch.of(np.where(up, 0.0, -margin), np.where(up, -margin, 0.0))


def very_long_responses(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """Log-probabilities down to -100,000 nats (-60,000 in binary16), the policy anywhere from the reference to far."""
    most = min(100_000.0, 0.92 * fmt.largest)
    reference = [-rng.uniform(0.1 * most, most, n) for _ in range(2)]
    drift = [np.exp(rng.uniform(np.log(1e-3), np.log(0.1), n)) * rng.choice((-1, 1), n) for _ in range(2)]
    policy = [np.maximum(logps * (1 + part), -most) for logps, part in zip(reference, drift, strict=True)]
    return _rounded(fmt, *policy, *reference)


def near_overflow(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """Log-probabilities of the order of the largest number, whose differences stay below it."""
    size = fmt.largest * np.exp2(-rng.uniform(1.1, 6, n))
    return _rounded(fmt, *(-size * rng.uniform(0, 1, n) for _ in range(4)))


def overflowing_margin(fmt: Format, n: int, rng: np.random.Generator) -> Batch:
    """Both log-ratios fit, their difference does not: chosen and rejected have drifted apart by almost the largest number."""
    size = fmt.largest * rng.uniform(0.55, 0.95, n)
    zero = np.zeros(n)
    up = rng.integers(0, 2, n).astype(bool)
    chosen, rejected = -size, np.zeros(n)
    return _rounded(
        fmt,
        np.where(up, chosen, zero),
        np.where(up, rejected, -size),
        np.where(up, zero, -size),
        np.where(up, -size, zero),
    )


Draw = Callable[[Format, int, np.random.Generator], Batch]
"""A way to draw n pairs in a format."""


def _rounded(fmt: Format, pc: Floats, pr: Floats, rc: Floats, rr: Floats) -> Batch:
    """As numbers of the format, none positive: a log-probability is at most 0."""
    return Batch.of(*(np.minimum(fmt.round_array(values), 0.0) for values in (pc, pr, rc, rr)))
