"""A loss that nobody has published, added in one file (that of docs/any-loss.md): judged, documented and in the vectors."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import json
from fractions import Fraction
from conformance import judge
from conformance.clauses import EVERY
from conformance.implementations import numpy_implementation
from conformance.implementations.written import computed
from conformance.reports.losses import page
from conformance.diagnosis.identification import identify
from conformance.vectorgen.losses import document
from oracle import binary32, losses
from oracle.losses import LOSSES
from oracle.losses._evaluate import slope

loss = LOSSES["flat"]
names = ("beta", "width")

def claimed(definition, other):
    def split(given):
        return {k: x for k, x in given.items() if k not in names}, {k: given[k] for k in names}
    return numpy_implementation(
        lambda **given: computed(definition, *split(given)), loss="flat",
        gradient=lambda **given: {key: computed(slope(other, key), *split(given)) for key in loss.logps})

variants = [loss.variant(wrong) for wrong in loss.wrong]
clauses = [clause for clause in EVERY if clause.kind == "preference loss"]
runs = [judge(claimed(x.definition, x), dtypes=["binary32"], clauses=clauses).runs[0] for x in (loss, *variants)]
pair = dict(policy_chosen_logps=-1, policy_rejected_logps=-2, ref_chosen_logps=-1, ref_rejected_logps=-1)
print(json.dumps({
    "verdicts": [str(run.verdict) for run in runs],
    "value": losses.value("flat", **pair, beta=1, width=2).digits(15),
    "page": page(loss), "vectors": document(loss)["tests"][0]["flags"],
    "known": identify(claimed(loss.definition, loss), binary32)[0].candidate.loss.name,
}))
"""


@pytest.mark.no_cover
def test_one_file_and_no_other_place(tmp_path):
    for package in ("oracle", "conformance"):
        ignored = shutil.ignore_patterns("__pycache__", "vectors")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    told = (ROOT / "docs" / "any-loss.md").read_text(encoding="utf-8")
    file = re.search(r"```python flat\.py\n(.*?)```", told, re.DOTALL)
    assert file is not None
    assert len(file[1].splitlines()) <= 20
    (tmp_path / "oracle" / "losses" / "flat.py").write_text(file[1], encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout)
    assert said["verdicts"] == ["conforms", "violates", "violates"]
    assert said["value"] == "0.948153968360213"
    assert "flat/unscaled" in said["page"]
    assert set(said["vectors"]) == {"flat/unscaled", "flat/ignored"}
    assert said["known"] == "flat"
