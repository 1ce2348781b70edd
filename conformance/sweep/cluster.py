"""A Dask cluster as an executor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from conformance.errors import ConformanceError

AHEAD = 2
"""Shards for each thread of the cluster, so that none waits for the next."""
TIMEOUT = 30
"""Seconds to wait for the scheduler, and for its first worker."""


class NoCluster(ConformanceError):
    """The scheduler cannot be reached, has no worker, or Dask is not installed."""


@contextmanager
def connected(address: str) -> Iterator[tuple[Executor, int]]:
    """The cluster's executor, and how many shards to keep under way in it. Raises NoCluster."""
    try:
        from distributed import Client  # noqa: PLC0415 - imported where a cluster is asked for
    except ModuleNotFoundError as error:
        raise NoCluster("a cluster needs Dask: pip install 'dpo-conformance[distributed]'") from error
    try:
        client = Client(address, timeout=TIMEOUT)
    except (OSError, ValueError, TimeoutError) as error:
        raise NoCluster(f"no Dask scheduler at {address}: {str(error) or type(error).__name__}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
        except TimeoutError as error:
            raise NoCluster(f"the scheduler at {address} has had no worker for {TIMEOUT} s") from error
        yield client.get_executor(), AHEAD * sum(client.nthreads().values())
