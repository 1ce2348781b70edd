"""The mutants are wrong where they say so and right where they say so; the honest ones are right. No judge is asked."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from conformance.implementations.protocol import Implementation
from conformance.implementations.ways import Way
from conformance.inputs.batch import Batch
from oracle import FORMATS, Format, get_format

from . import hostile, registry
from .kinds import Honest, Mutant
from .truth import Excess, excess
from .witnesses import batch_of, both, infinite, logits, nan, options, pairs, tails

pytestmark = pytest.mark.no_cover  # it asks nothing of the judge
FAR = 4.0
"""A mutant's error on its witness is at least this many times what the generous bound of `truth` allows."""
WRONG = [(mutant, fmt) for mutant in registry.MUTANTS for fmt in mutant.wrong_in]
EQUIVALENT = [(mutant, fmt) for mutant in registry.MUTANTS for fmt in mutant.equivalent_in]
RIGHT = [(entry, get_format(name)) for entry in registry.HONEST if not entry.slow for name in entry.formats]


def _worst(
    implementation: Implementation,
    batches: tuple[Batch, ...],
    fmt: Format,
    *,
    every_way: bool = False,
    ways: Collection[Way] = (),
) -> Excess:
    measured = [excess(implementation, batch, fmt, every_way=every_way, ways=ways) for batch in batches]
    return Excess(*(max(getattr(m, field.name) for m in measured) for field in fields(Excess)))


@functools.cache
def _ordinary(fmt: Format) -> tuple[Batch, ...]:
    """Realistic pairs, near and far from the reference, and logits of every size that a format holds."""
    generator = np.random.default_rng(3)
    small = fmt.round_array(generator.uniform(-30, 30, 40))
    top = min(fmt.emax, 100)
    large = fmt.round_array(np.ldexp(generator.uniform(-1, 1, 12), generator.integers(fmt.emin, top, 12)))
    witness = both(batch_of(8, beta=0.5), batch_of(8, beta=0.1, eps=0.3, seed=2), logits(*small), logits(*large))
    return tuple(witness(fmt))


@functools.cache
def _called(fmt: Format) -> tuple[Batch, ...]:
    """What it must get right however it is called: few pairs, since there are many ways."""
    return tuple(both(pairs(0.5), pairs(0.5, 0.25))(fmt))


@functools.cache
def _everything(fmt: Format) -> tuple[Batch, ...]:
    """What an honest implementation must get right: also the tails, NaN, infinities, and every option."""
    specials = (infinite, nan, logits(math.inf, 2.0, eps=0.125), pairs(0.0), pairs(0.0, 0.125))
    return (*_ordinary(fmt), *both(tails, options, *specials)(fmt))


def _label(value: object) -> str | None:
    return getattr(value, "name", None)


@pytest.mark.parametrize(("mutant", "fmt"), WRONG, ids=_label)
def test_a_mutant_is_far_from_right_on_its_witness(mutant: Mutant, fmt: Format) -> None:
    witness = tuple(mutant.witness(fmt))
    kinds: list[dict[str, Any]] = [{"ways": mutant.ways}] if mutant.ways else [{}, {"every_way": True}, {"ways": list(Way)}]
    found = (_worst(mutant.build(), witness, fmt, **kind).largest for kind in kinds)
    assert any(largest >= FAR for largest in found)


@pytest.mark.parametrize(("mutant", "fmt"), EQUIVALENT, ids=_label)
def test_an_equivalent_mutant_is_right(mutant: Mutant, fmt: Format) -> None:
    batches = (*mutant.witness(fmt), *_ordinary(fmt))
    assert _worst(mutant.build(), batches, fmt).largest <= 1


@pytest.mark.parametrize(("mutant", "fmt"), [(m, f) for m, f in WRONG if m.family == "gradient"], ids=_label)
def test_a_gradient_mutant_has_the_right_value(mutant: Mutant, fmt: Format) -> None:
    batches = (*mutant.witness(fmt), *_ordinary(fmt))
    assert _worst(mutant.build(), batches, fmt).loss <= 1


@pytest.mark.parametrize(
    ("mutant", "fmt"), [(m, f) for m, f in WRONG if m.family == "metrics" and not m.name.endswith("-missing")], ids=_label
)
def test_a_metrics_mutant_has_the_right_losses(mutant: Mutant, fmt: Format) -> None:
    found = _worst(mutant.build(), tuple(mutant.witness(fmt)), fmt)
    assert max(found.loss, found.gradient) <= 1


@pytest.mark.parametrize(("entry", "fmt"), RIGHT, ids=_label)
def test_an_honest_implementation_is_right(entry: Honest, fmt: Format) -> None:
    everything = _everything(fmt)
    refused = [batch for batch in everything if entry.refuses(batch)]
    answered = tuple(batch for batch in everything if not entry.refuses(batch))
    assert _worst(entry.build(), answered, fmt, every_way=True).largest <= 1
    assert all(math.isinf(excess(entry.build(), batch, fmt).loss) for batch in refused)
    assert _worst(entry.build(), _called(fmt), fmt, ways=list(Way)).largest <= 1


def test_there_are_enough_of_them() -> None:
    assert len(registry.MUTANTS) >= 75
    assert len(registry.HONEST) >= 24
    assert all(mutants for mutants in registry.FAMILIES.values())


def test_each_family_is_filed_under_its_name() -> None:
    assert all(mutant.family == family for family, mutants in registry.FAMILIES.items() for mutant in mutants)


def test_an_equivalence_names_a_claimed_format_and_a_reason() -> None:
    for mutant in registry.MUTANTS:
        claimed = {fmt.name for fmt in mutant.build().claims.formats}
        assert set(mutant.equivalent) <= claimed, mutant.name
        assert all(mutant.equivalent.values()), mutant.name
        assert mutant.wrong_in, mutant.name


def test_every_format_has_mutants_of_every_family() -> None:
    for fmt in FORMATS:
        families = {mutant.family for mutant, wrong in WRONG if wrong == fmt}
        assert families == set(registry.FAMILIES)


def test_lookup_by_name() -> None:
    assert registry.mutant("beta-twice").family == "options"
    assert registry.honest("torch-rewards").formats
    with pytest.raises(KeyError):
        registry.mutant("no such mutant")


def test_every_hostile_implementation_says_what_it_does() -> None:
    assert len(hostile.HOSTILE) >= 12
    assert all(callable(implementation.evaluate) for implementation in hostile.HOSTILE.values())
