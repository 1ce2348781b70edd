"""Mutation testing draws the same examples for every mutant, and does not look for the smallest that fails."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from oracle import compiled

settings.register_profile("mutation", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])


@pytest.fixture
def by_numpy() -> Iterator[None]:
    """NumPy's evaluation alone: a test that breaks it must not meet loops compiled from the right one."""
    with compiled.choice(False):
        yield
