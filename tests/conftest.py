"""What all tests share: none leaves behind where modules of its own are found."""

import sys

import pytest


@pytest.fixture(autouse=True)
def own_path():
    """The command looks for packages in the current folder, which is another test's by the next one."""
    before, known = list(sys.path), set(sys.modules)
    yield
    added = set(sys.path) - set(before)
    sys.path[:] = before
    for name in set(sys.modules) - known:
        place = getattr(sys.modules[name], "__file__", None) or ""
        if any(place.startswith(f"{folder}/") for folder in added):
            del sys.modules[name]
