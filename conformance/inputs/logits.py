"""Extreme and ordinary logits: where the log-sigmoid kernel is judged."""

from __future__ import annotations

import math

import numpy as np

from conformance.inputs.profiles import Profile
from oracle import Format
from oracle.formats import Floats


def thresholds(fmt: Format) -> list[float]:
    """Logits, of positive sign, where stable and unstable code change behaviour in this format.

    From the format's own parameters: 1 - sigma(z) vanishes near (p - 1) ln 2, p ln 2 and (p + 1) ln 2; e**-z leaves the
    normal range at -emin ln 2 and underflows to 0 at (p - 1 - emin) ln 2 and one binade on; e**z overflows at
    (emax + 1) ln 2. And from the code of real libraries: linear beyond 20 (softplus), guards at 4, 15, 30, 50, 80, 100.
    """
    p, ln2 = fmt.precision, math.log(2)
    derived = [(p - 1) * ln2, p * ln2, (p + 1) * ln2, -fmt.emin * ln2, (fmt.emax + 1) * ln2]
    derived += [(p - 1 - fmt.emin + extra) * ln2 for extra in (-1, 0, 1, 2)]
    known = [ln2, 1.0, 2.0, 4.0, 8.0, 11.09, 15.0, 16.0, 17.0, 18.0, 20.0, 30.0, 36.0, 37.0, 40.0, 50.0, 80.0]
    known += [
        87.0,
        88.0,
        88.73,
        89.0,
        100.0,
        103.0,
        104.0,
        127.0,
        128.0,
        700.0,
        708.0,
        709.8,
        745.0,
        746.0,
        1000.0,
        1e4,
    ]
    return [x for x in derived + known if x < fmt.largest]


def every(fmt: Format) -> Floats:
    """Every bit pattern of a 16-bit format, NaN and infinities included, in the order of the patterns."""
    return fmt.all_values()


def stratified(fmt: Format, profile: Profile, rng: np.random.Generator) -> Floats:
    """Finite logits of both signs in every binade, subnormals included, and neighbours of every threshold.

    Both zeros, the smallest and the largest numbers, and powers of two with their neighbours are always there. Where
    the kernel bends, |z| in [2**-8, 2**11], a binade is cut into `dense` parts and each gets one: a band of relative width
    w, over which a kernel is wrong, is met surely if w >= 2 / dense, and is missed with a probability of at most 1 - dense w
    if w <= 1 / dense. The tables that a real exp is cut by, N parts of ln 2, repeat: in [16, 128] every part of 256 is met
    many times over.
    """
    top = fmt.ordinals(fmt.largest)
    binade = 2 ** (fmt.precision - 1)
    starts = np.arange(0, int(top) // binade + 1) * binade
    bend = [int(fmt.ordinals(2.0**k)) for k in range(max(fmt.emin, -8), min(fmt.emax, 10) + 1)]
    wide = rng.integers(0, binade, (len(starts), profile.logits_per_binade)) + starts[:, None]
    cuts = np.linspace(0, binade, min(profile.dense, binade) + 1).astype(np.int64)
    dense = rng.integers(cuts[:-1], cuts[1:], (len(bend), len(cuts) - 1)) + np.array(bend)[:, None]
    marks = [fmt.ordinals(fmt.round_array(x)) for x in thresholds(fmt)]
    near = np.array(marks)[:, None] + np.arange(-profile.around, profile.around + 1)
    edges = np.concatenate([starts - 1, starts, starts + 1, [1, int(top)]])
    places = np.unique(np.clip(np.concatenate([wide.ravel(), dense.ravel(), near.ravel(), edges]), 0, top))
    positive = fmt.from_ordinals(places)
    return np.concatenate([positive, -positive])
