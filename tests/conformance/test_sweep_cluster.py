"""A sweep over a Dask cluster: the same command, the same report."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.sweep import cluster, read, sweep
from oracle import binary16

distributed = pytest.importorskip("distributed", reason="needs the extra distributed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def scheduler():
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, silence_logs=50) as local:
        yield local.scheduler_address


def test_a_cluster_judges_as_this_process_does(scheduler, tmp_path):
    out = tmp_path / "out.json"
    arguments = ["sweep", "numpy", "--dtype", "binary16", "--shard-size", "1", "--scheduler", scheduler, "--json", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    here = sweep("numpy", binary16, isolate=False)
    assert replace(read(out), created="", seconds=0.0) == replace(here, created="", seconds=0.0)


def test_what_a_cluster_cannot_load_is_wrong_usage(scheduler):
    result = CliRunner().invoke(main, ["sweep", "none.py:F", "--dtype", "binary16", "--scheduler", scheduler])
    assert (result.exit_code, "none.py: no such file" in result.stderr) == (2, True)


def test_no_scheduler_is_wrong_usage(monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        result = CliRunner().invoke(main, ["sweep", "numpy", "--dtype", "binary16", "--scheduler", address])
        assert result.exit_code == 2, result.output
        assert f"no Dask scheduler at {address}" in " ".join(result.stderr.split())


def test_without_dask_the_error_names_the_extra(monkeypatch):
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "distributed", None)
    result = CliRunner().invoke(main, ["sweep", "numpy", "--dtype", "binary16", "--scheduler", "tcp://127.0.0.1:9"])
    assert result.exit_code == 2
    assert "pip install 'dpo-conformance[distributed]'" in " ".join(result.stderr.split())
