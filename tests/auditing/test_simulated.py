"""No line of a right run is called impossible, whatever the loss, the format, the trainer's rounding; faults show."""

import pytest

from .__main__ import audited
from .faults import FAULTS
from .runs import LOSSES, WRITERS, alone, drawn

RIGHT = (*range(60), 260)  # of bfloat16, printed with four decimals: its digits show no format


@pytest.mark.parametrize("seed", RIGHT)
def test_no_line_of_a_right_run_is_impossible(seed, tmp_path):
    report = audited(drawn(seed), tmp_path)
    assert report.lines == 40
    assert report.impossible == 0, report.findings[0]


def test_the_right_runs_are_of_every_loss_and_writer():
    runs = [drawn(seed) for seed in RIGHT]
    assert {run.loss for run in runs} == set(LOSSES)
    assert {run.writer for run in runs} == set(WRITERS)
    assert {run.processes for run in runs} == {1, 2, 4, 8}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_shows_in_some_run(name, tmp_path):
    fault, has = FAULTS[name]
    runs = (run for seed in range(1000, 1400) if has(run := alone(seed)))
    assert any(audited(run, tmp_path, fault, ranks=1).impossible for run, _ in zip(runs, range(40), strict=False))
