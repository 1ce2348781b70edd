"""Hypothesis strategies: preference pairs of a format, from bit patterns to adversarial cancellations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import configuration
from hypothesis import strategies as st

from conformance.files import cache
from conformance.inputs.batch import Batch
from conformance.inputs.logits import thresholds
from conformance.inputs.pairs import BETAS, SMOOTHINGS
from oracle import Format

Pair = tuple[float, float, float, float]


def logps(fmt: Format, *, most: float = 20_000.0) -> st.SearchStrategy[float]:
    """One log-probability of the format, -most to 0, drawn evenly over the format's numbers; shrinks towards 0."""
    top = int(fmt.ordinals(fmt.round_array(most)))
    return st.integers(0, top).map(lambda place: -float(fmt.from_ordinals(place)))


def realistic(fmt: Format) -> st.SearchStrategy[Pair]:
    """Whole numbers of quarters of a nat, which shrink to small ones."""
    quarter = st.integers(0, 80_000).map(lambda n: -float(fmt.round_array(n / 4)))
    return st.tuples(quarter, quarter, quarter, quarter)


def cancelling(fmt: Format) -> st.SearchStrategy[Pair]:
    """Four log-probabilities within a few ulps of each other."""

    def around(base: int, steps: list[int]) -> Pair:
        pc, pr, rc, rr = (-float(fmt.from_ordinals(max(0, base + step))) for step in steps)
        return pc, pr, rc, rr

    top = int(fmt.ordinals(fmt.round_array(20_000.0)))
    return st.builds(around, st.integers(0, top), st.lists(st.integers(-8, 8), min_size=4, max_size=4))


def at_threshold(fmt: Format) -> st.SearchStrategy[Pair]:
    """A margin a few ulps from where stable and unstable code part, through non-positive log-probabilities."""

    def pair(threshold: float, steps: int, up: bool) -> Pair:
        size = float(fmt.from_ordinals(fmt.ordinals(fmt.round_array(threshold)) + steps))
        return (0.0, -abs(size), 0.0, 0.0) if up else (-abs(size), 0.0, 0.0, 0.0)

    return st.builds(pair, st.sampled_from(thresholds(fmt)), st.integers(-8, 8), st.booleans())


def patterns(fmt: Format) -> st.SearchStrategy[Pair]:
    """Any four numbers of the format from -20,000 to 0, subnormals included."""
    one = logps(fmt)
    return st.tuples(one, one, one, one)


def batches(
    fmt: Format, *, betas: tuple[float, ...] = BETAS, smoothings: tuple[float, ...] = SMOOTHINGS
) -> st.SearchStrategy[Batch]:
    """Batches of 1 to 8 pairs of any of these kinds, with a beta and a label_smoothing; shrinks to one plain pair."""
    pair = st.one_of(realistic(fmt), patterns(fmt), cancelling(fmt), at_threshold(fmt))

    def build(drawn: list[Pair], beta: float, smoothing: float) -> Batch:
        columns = np.array(drawn).T
        return Batch.of(*columns, beta=beta, label_smoothing=smoothing)

    return st.builds(build, st.lists(pair, min_size=1, max_size=8), st.sampled_from(betas), st.sampled_from(smoothings))


@contextlib.contextmanager
def not_here() -> Iterator[None]:
    """What hypothesis keeps goes to the suite's cache, or nowhere, and not to a .hypothesis in the folder of the user, whose
    own setting holds again afterwards.
    """
    setting = "__hypothesis_home_directory"
    before = getattr(configuration, setting, None)
    try:
        place = cache() / "hypothesis"
    except RuntimeError:  # a user without a home
        place = Path(os.devnull) / "nothing"
    configuration.set_hypothesis_home_dir(place)
    try:
        yield
    finally:
        configuration.set_hypothesis_home_dir(before)
