"""What all tests share: none leaves modules of its own behind, and the processes of what is not counted are not counted."""

import os
import sys

import pytest

# two workers on two CPUs whose torch takes two threads each wait for one another: measured, 5 to 20 times the CPU time
os.environ.setdefault("OMP_NUM_THREADS", "1")


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


@pytest.fixture(autouse=True)
def uncounted(request):
    """The processes of a test that is marked no_cover are not measured either."""
    kept = os.environ.pop("COVERAGE_PROCESS_CONFIG", None) if request.node.get_closest_marker("no_cover") else None
    yield
    if kept is not None:
        os.environ["COVERAGE_PROCESS_CONFIG"] = kept
