"""Certified value and four derivatives of losses over arrays, beside DPO's by the same evaluation and by the fast one.

`python -m benchmarks.losses_speed [pairs] [rounds]`: the least time of the rounds, which alternate; ratios to `sigmoid`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from oracle import enclosure, losses
from oracle.expressions.arrays import Arrays
from oracle.losses._evaluate import slope

NAMES = ("sigmoid", "bce_pair", "bco_pair", "nca_pair", "simpo", "ipo_average", "apo_down", "exo_pair", "orpo_odds", "discopop")


def rows(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    logps = {name: -rng.uniform(1, 100, n) for name in losses.LOGPS}
    return logps | {name: rng.integers(2, 200, n).astype(float) for name in losses.LENGTHS}


def certified(name: str, data: dict[str, np.ndarray]) -> Callable[[], None]:
    loss = losses.get_loss(name)
    parameters = {parameter.name: parameter.read(parameter.default) for parameter in loss.parameters}

    def once() -> None:
        arrays = Arrays({key: data[key] for key in loss.inputs}, parameters)
        for node in (loss.definition, *(slope(loss, key) for key in loss.logps)):
            arrays.ball(node)

    return once


def main() -> None:
    n, rounds = (int(x) for x in (*sys.argv[1:], *("16384", "9")[len(sys.argv) - 1 :]))
    data = rows(n)
    logps = [data[name] for name in losses.LOGPS]
    tried = {name: certified(name, data) for name in NAMES}

    def fast() -> None:
        enclosure.loss(*logps)
        enclosure.gradient(*logps)

    tried["sigmoid, oracle.enclosure"] = fast
    least = dict.fromkeys(tried, np.inf)
    for _ in range(rounds):
        for name, once in tried.items():
            began = time.perf_counter()
            once()
            least[name] = min(least[name], time.perf_counter() - began)
    for name, seconds in least.items():
        print(f"{name:28}{seconds / n * 1e9:9.0f} ns a pair {seconds / least['sigmoid']:7.2f} of sigmoid")


if __name__ == "__main__":
    main()
