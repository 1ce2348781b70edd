"""What a campaign of many seeds leaves out after the first: clauses that never read the seed, and so ask the same at each."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import asdict
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.clauses import CLAUSES
from conformance.clauses.trial import Trial
from conformance.implementations import load
from conformance.inputs.batch import Batch
from conformance.inputs.profiles import get_profile
from conformance.running.trying import check
from oracle import get_format

from . import __main__ as campaign
from . import power, registry
from .power import Watched, judged

CALLS = ("evaluate", "weighed", "by_way", "twice", "metrics", "metrics_by_way")


def _overheard(implementation: Any, heard: list[str]) -> Any:
    """The implementation, every call of which is heard: each number, each option, each way."""

    def listening(name: str) -> Any:
        def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
            heard.append(f"{name} {[_told(x) for x in (*arguments, *keywords.values())]}")
            return getattr(super(kind, self), name)(*arguments, **keywords)

        return call

    base = type(implementation)
    kind = type("Overheard", (base,), {name: listening(name) for name in CALLS if hasattr(base, name)})
    found = copy.copy(implementation)
    found.__class__ = kind
    return found


def _told(argument: Any) -> str:
    if isinstance(argument, Batch):
        numbers = b"".join(x.tobytes() for x in argument.logps)
        return f"{hashlib.blake2b(numbers).hexdigest()} {argument.beta!r} {argument.label_smoothing!r}"
    return hashlib.blake2b(argument.tobytes()).hexdigest() if hasattr(argument, "tobytes") else repr(argument)


@pytest.mark.no_cover  # what its clauses do is covered by other tests
@pytest.mark.parametrize(("name", "fmt"), [("torch", "binary32"), ("numpy", "binary64")])
def test_another_seed_asks_otherwise_where_it_was_read_and_nowhere_else(name: str, fmt: str) -> None:
    heard: list[str] = []
    implementation = _overheard(load(name), heard)
    read, unlike = set(), set()
    for clause in CLAUSES:
        asked = []
        for seed in (0, 1):
            held = Watched(implementation, get_format(fmt), get_profile("quick"), seed)
            heard.clear()
            check(clause, held)
            asked.append(list(heard))
            read |= {clause.id} if held.read else set()
        unlike |= {clause.id} if asked[0] != asked[1] else set()
    assert unlike == read
    assert {"LOSS-1", "PROPERTY-2"} < read < {clause.id for clause in CLAUSES}


def test_the_seed_is_read_through_the_generator_too() -> None:
    held = Watched(load("numpy"), get_format("binary32"), get_profile("quick"), 3)
    assert not held.read
    assert held.rng("LOSS-1").random() == Trial(held.implementation, held.fmt, held.profile, 3).rng("LOSS-1").random()
    assert held.read == {"seed"}


def test_past_the_first_seed_only_the_musts_that_read_it_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []

    def noted(clause: Any, held: Any) -> Any:
        asked.append((object.__getattribute__(held, "seed"), clause.id))
        return check(clause, held)

    monkeypatch.setattr(power, "check", noted)
    some = ("CALL-1", "LOSS-1", "LOSS-4", "SPECIAL-1")  # LOSS-4 is a SHOULD
    judged([power.Trial("numpy-arctanh", False, "binary16", "quick", seed, clauses=some) for seed in (5, 6)])
    assert asked == [*((5, identity) for identity in some), (6, "LOSS-1")]


def test_each_format_at_the_first_seed_and_one_in_turn_at_each_other() -> None:
    trials = [trial for trial in campaign._trials("quick", False, False) if trial.name == "torch-rewards"]
    found = [(trial.seed, trial.format) for group in campaign._groups(trials, range(6)) for trial in group]
    formats = list(registry.honest("torch-rewards").formats)
    assert sorted(found) == sorted([(0, name) for name in formats] + [(seed, formats[seed % 4]) for seed in range(1, 6)])


def test_a_campaign_goes_on_where_it_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("FIGURES", "KILLS"):
        monkeypatch.setattr(campaign, name, tmp_path / f"{name}.json")
    campaign.FIGURES.write_text("{}")
    figures = campaign.Figures(2, 0, 0, 0, 3, 12, 10, 0, 0.5)
    with pytest.raises(campaign.click.UsageError, match="no campaign --seeds 10"):
        campaign._begun("--seeds 10", figures)
    campaign.FIGURES.write_text(json.dumps({"--seeds 10": asdict(figures)}))
    later = campaign.Figures(2, 0, 0, 0, 3, 8, 5, 1, 0.75)
    assert campaign._begun("--seeds 10", later) == campaign.Figures(2, 0, 0, 0, 3, 20, 15, 1, 0.75)
    assert campaign.FIGURES.read_text() == "{}\n"
    assert CliRunner().invoke(campaign.main, ["--seeds", "-1"]).exit_code == 2
