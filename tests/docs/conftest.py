"""What the tests of the pages share."""

import pytest


@pytest.fixture(autouse=True)
def uncovered(no_cover, monkeypatch):
    """The pages run long commands that the other tests cover: neither they nor their processes are measured."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
