"""The same suite, seed, profile and conduct give the same record: however installed, started, or commented."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = """
import numpy as np
from conformance.implementations import numpy_implementation

@numpy_implementation(name="mine")
def F(pc, pr, rc, rr, beta, eps):
    z = pc.dtype.type(beta) * ((pc - rc) - (pr - rr))
    with np.errstate(all="ignore"):
        first, second = np.log(1 + np.exp(-z)), np.log(1 + np.exp(z))
    return first if eps == 0 else pc.dtype.type(1 - eps) * first + pc.dtype.type(eps) * second
"""
COMMENTED = "\n".join([f"unused = [{', '.join(str(7919 * i) for i in range(40))}, 0.1234567, 1e-30, -77]  # 3", PLAIN, "# 5"])
PROGRAM = """
import json, sys
from conformance import judge
from conformance.clauses import CLAUSES
from conformance.records.record import plain
chosen = [clause for clause in CLAUSES if clause.chapter in {"LOSS", "SMOOTH", "PROPERTY"}]
record = judge(sys.argv[1], dtypes=["binary32"], clauses=chosen, isolate="isolate" in sys.argv)
print(json.dumps([[plain(finding) for finding in run.findings] for run in record.runs], sort_keys=True))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """told(text, ...): the findings of that file, as a process of its own tells them."""

    def told(text, *more, package=None, **variables):
        folder = tmp_path_factory.mktemp("file")
        (folder / "mine.py").write_text(text)
        given = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        given |= {} if package is None else {"PYTHONPATH": str(package)}
        command = [sys.executable, "-c", PROGRAM, f"{folder / 'mine.py'}:F", *more]
        return subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, check=True).stdout

    return told


@pytest.fixture(scope="module")
def usual(told):
    found = told(PLAIN, PYTHONHASHSEED="0")
    verdicts = {finding["clause"]: finding["verdict"] for run in json.loads(found) for finding in run}
    assert verdicts["PROPERTY-1"] == "violates"  # and was shrunk
    return found


def test_numbers_and_comments_in_the_judged_file_do_not_matter(told, usual):
    assert told(COMMENTED, PYTHONHASHSEED="0") == usual


@pytest.mark.no_cover
def test_a_plain_install_another_hash_seed_more_threads_and_a_process_of_its_own_do_not_matter(told, usual, tmp_path):
    for package in ("oracle", "conformance"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    assert told(PLAIN, "isolate", package=tmp_path, PYTHONHASHSEED="4711", OMP_NUM_THREADS="2") == usual
