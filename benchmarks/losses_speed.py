"""Certified value and four derivatives of named losses over arrays, beside DPO's by the same evaluation and by its own."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import Call, Row, Timed
from oracle import enclosure, losses
from oracle.expressions.arrays import Arrays
from oracle.losses._evaluate import slope

PAIRS = 1 << 14
NAMES = ("sigmoid", "bce_pair", "bco_pair", "nca_pair", "simpo", "ipo_average", "apo_down", "exo_pair", "orpo_odds", "discopop")


def rows(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    logps = {name: -rng.uniform(1, 100, n) for name in losses.LOGPS}
    return logps | {name: rng.integers(2, 200, n).astype(float) for name in losses.LENGTHS}


def certified(name: str, data: dict[str, np.ndarray]) -> Call:
    loss = losses.get_loss(name)
    parameters = {parameter.name: parameter.read(parameter.default) for parameter in loss.parameters}

    def once() -> None:
        arrays = Arrays({key: data[key] for key in loss.inputs}, parameters)
        for node in (loss.definition, *(slope(loss, key) for key in loss.logps)):
            arrays.ball(node)

    return once


def named(rounds: int) -> tuple[str, list[Row]]:
    """Certified value and derivatives of a pair, of any expression; the last row is DPO's own evaluation, compiled where it
    can be, which no other loss has."""
    data = rows(PAIRS)
    logps = [data[name] for name in losses.LOGPS]
    timed = Timed(rounds)
    for name in NAMES:
        timed.add(name, certified(name, data), PAIRS)
    timed.add(OWN, lambda: (enclosure.loss(*logps), enclosure.gradient(*logps)), PAIRS)
    found = timed.medians()
    lines = [(name, f"{ns:,.0f}", f"{ns / found['sigmoid']:.2f}") for name, ns in found.items()]
    return "| certified loss and derivatives | ns a pair | over sigmoid |", lines


OWN = "sigmoid, by `oracle.enclosure`"
