"""Metrics are asked for by the names that they have, and leave their inputs alone."""

import numpy as np
import pytest
import torch

from conformance import judge
from conformance.clauses import CLAUSES
from conformance.implementations import numpy_implementation, torch_implementation
from conformance.implementations.protocol import METRICS, REWARDS


def _numpy_loss(pc, pr, rc, rr, beta, eps):
    return np.logaddexp(0, -pc.dtype.type(beta) * ((pc - rc) - (pr - rr)))


def _torch_loss(pc, pr, rc, rr, beta, eps):
    return -torch.nn.functional.logsigmoid(beta * ((pc - rc) - (pr - rr)))


def _metrics(names, *, writes=False):
    def metrics(pc, pr, rc, rr, beta, eps):
        scale = beta if names is REWARDS else 1.0
        chosen, rejected = scale * (pc - rc), scale * (pr - rr)
        if writes:
            rr *= 1 + 2**-20
        values = ((chosen > rejected) * 1.0).mean(), (chosen - rejected).mean(), chosen.mean(), rejected.mean()
        return dict(zip(names, values, strict=True))

    return metrics


MAKERS = {"numpy": (numpy_implementation, _numpy_loss), "torch": (torch_implementation, _torch_loss)}
ASKED = [clause for clause in CLAUSES if clause.chapter in {"METRIC", "TIE"} or clause.id == "CALL-3"]


def _violated(library, metrics):
    make, loss = MAKERS[library]
    judged = make(loss, name="mine", options=("beta",), metrics=metrics)
    (run,) = judge(judged, dtypes=["binary32"], clauses=ASKED).runs
    return {finding.clause: finding.note for finding in run.findings if finding.verdict == "violates"}


@pytest.mark.parametrize("library", MAKERS)
@pytest.mark.parametrize("names", [METRICS, REWARDS], ids=["metrics", "rewards"])
def test_either_group_is_enough(library, names):
    assert not _violated(library, _metrics(names))


@pytest.mark.parametrize("library", MAKERS)
def test_metrics_that_write_into_their_inputs_are_told(library):
    violated = _violated(library, _metrics(METRICS, writes=True))
    assert violated["CALL-3"] == "metrics: it changed ref_rejected_logps in place"
