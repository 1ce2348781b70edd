"""What the oracle says of batches is the same whether it is asked of each alone or of several at once, and is kept."""

import numpy as np
import pytest

from conformance.clauses import accepted
from conformance.clauses.trial import Trial
from conformance.implementations import load
from conformance.inputs.pairs import near_reference
from conformance.inputs.profiles import get_profile
from oracle import binary32


@pytest.fixture
def nothing_kept(monkeypatch):
    monkeypatch.setattr(accepted, "_INTERVALS", accepted._Kept())
    monkeypatch.setattr(accepted, "_JUDGED", accepted._Kept())


def _batches():
    rng = np.random.default_rng(4)
    drawn = [near_reference(binary32, size, rng) for size in (3, 1, 5)]
    options = [(0.1, 0.0), (-2.0, 0.0), (0.5, 0.1), (0.1, 0.25)]
    empty = drawn[0].take(np.arange(0))
    return [empty, *(batch.at(beta=beta, label_smoothing=eps) for batch in drawn for beta, eps in options)]


def _everything(trial, batch):
    for interval in (accepted.accepted_losses(trial, batch), accepted.accepted_gradients(trial, batch)):
        for ball in (interval.exact, interval.low, interval.high):
            yield from (ball.head.tobytes(), ball.tail.tobytes(), ball.exponent.tobytes(), ball.radius.tobytes())
        yield interval.zero.tobytes()
    yield accepted.judged_places(trial, batch).tobytes()


def test_what_is_worked_out_ahead_is_what_each_batch_gives_alone(nothing_kept, monkeypatch):
    trial, batches = Trial(load("numpy"), binary32, get_profile("quick"), 0), _batches()
    alone = [list(_everything(trial, batch)) for batch in batches]
    monkeypatch.setattr(accepted, "_INTERVALS", accepted._Kept())
    monkeypatch.setattr(accepted, "_JUDGED", accepted._Kept())
    calls = []
    for name in ("loss", "gradient", "representable"):
        made = getattr(accepted.bounds, name)
        monkeypatch.setattr(accepted.bounds, name, lambda *a, made=made, name=name, **k: calls.append(name) or made(*a, **k))
    for ahead in (accepted.losses_ahead, accepted.gradients_ahead, accepted.places_ahead):
        ahead(trial, batches)
    assert sorted(calls) == sorted(["loss", "gradient", "representable"] * 2), "with label smoothing, and without"
    assert [list(_everything(trial, batch)) for batch in batches[1:]] == alone[1:]
    assert len(calls) == 6, "each batch is kept"
