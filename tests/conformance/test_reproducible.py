"""The same suite, seed, profile and conduct give the same record: however installed, started, or commented."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.clauses import CLAUSES

ROOT = Path(__file__).parents[2]
PLAIN = """
import numpy as np
from conformance.implementations import numpy_implementation
from conformance.implementations.protocol import METRICS

def metrics(pc, pr, rc, rr, beta, eps):
    chosen, rejected = pc - rc, pr - rr
    means = [x.astype(float).mean() for x in (chosen - rejected, chosen, rejected)]
    return dict(zip(METRICS, [(beta * chosen >= beta * rejected).mean(), *means]))

def slope(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    by = pc.dtype.type(beta) * (pc.dtype.type(eps) - (1 - 1 / (1 + np.exp(-z))))
    return by, -by, -by, by

@numpy_implementation(name="mine", gradient=slope, metrics=metrics)
def F(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    first, second = np.log(1 + np.exp(-z)), np.log(1 + np.exp(z))
    return first if eps == 0 else pc.dtype.type(1 - eps) * first + pc.dtype.type(eps) * second

@numpy_implementation(name="mean", reduction="mean")
def M(pc, pr, rc, rr, beta, eps):
    return np.nanmean(F(pc, pr, rc, rr, beta, eps))
"""
COMMENTED = "\n".join([f"unused = [{', '.join(str(7919 * i) for i in range(40))}, 0.1234567, 1e-30, -77]  # 3", PLAIN, "# 5"])
PROGRAM = """
import json, sys
from conformance import judge
from conformance.clauses import CLAUSES
from conformance.records.record import plain
chosen = [clause for clause in CLAUSES if clause.id.endswith("-1") or clause.chapter in {"LOSS", "SMOOTH", "PROPERTY"}]
reducing = [clause for clause in CLAUSES if clause.id in {"REDUCE-1", "REDUCE-3"}]
records = [
    judge(f"{sys.argv[1]}:{name}", dtypes=["binary32"], clauses=clauses, isolate="isolate" in sys.argv)
    for name, clauses in (("F", chosen), ("M", reducing))
]
print(json.dumps([[plain(finding) for finding in run.findings] for record in records for run in record.runs], sort_keys=True))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """told(text, ...): the findings of that file, as a process of its own tells them."""

    def told(text, *more, package=None, **variables):
        folder = tmp_path_factory.mktemp("file")
        (folder / "mine.py").write_text(text)
        given = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        given |= {} if package is None else {"PYTHONPATH": str(package)}
        command = [sys.executable, "-c", PROGRAM, f"{folder / 'mine.py'}", *more]
        return subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, check=True).stdout

    return told


@pytest.fixture(scope="module")
def usual(told):
    found = told(PLAIN, PYTHONHASHSEED="0")
    runs = [{finding["clause"]: finding["verdict"] for finding in findings} for findings in json.loads(found)]
    assert runs[0]["PROPERTY-1"] == "violates"  # and was shrunk
    chapters = {clause.partition("-")[0] for run in runs for clause, verdict in run.items() if verdict != "not claimed"}
    assert chapters == {clause.chapter for clause in CLAUSES} - {"SECOND", "AUTOGRAD"}  # of derivatives that a framework takes
    return found


def test_comments_in_the_judged_file_and_the_extra_fast_do_not_matter(told, usual):
    assert told(COMMENTED, PYTHONHASHSEED="0", DPO_CONFORMANCE_COMPILED="0") == usual


@pytest.mark.no_cover
def test_a_plain_install_another_hash_seed_more_threads_and_a_process_of_its_own_do_not_matter(told, usual, tmp_path):
    for package in ("oracle", "conformance"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    assert told(PLAIN, "isolate", package=tmp_path, PYTHONHASHSEED="4711", OMP_NUM_THREADS="2") == usual
