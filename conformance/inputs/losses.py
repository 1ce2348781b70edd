"""Batches for any loss: rows by name, parameters by name, and pairs that tell every loss from every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oracle import Format
from oracle.formats import Floats
from oracle.losses import LENGTHS, Loss


@dataclass(frozen=True, slots=True, eq=False)
class LossBatch:
    """n pairs as a loss takes them: rows has n numbers by the input's name, parameters a number by the parameter's."""

    rows: Mapping[str, Floats]
    parameters: Mapping[str, float]

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))

    def take(self, index: slice | ArrayLike) -> LossBatch:
        """The pairs at those places."""
        places = index if isinstance(index, slice) else np.atleast_1d(np.asarray(index))
        return replace(self, rows={name: row[places] for name, row in self.rows.items()})

    def at(self, **parameters: float) -> LossBatch:
        """The same pairs with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    def of(self, loss: Loss) -> LossBatch:
        """The same pairs with what the loss takes, and its own parameters where none are given."""
        given = {**loss.defaults, **{name: x for name, x in self.parameters.items() if name in loss.defaults}}
        return LossBatch({name: self.rows[name] for name in loss.inputs}, given)

    @property
    def key(self) -> bytes:
        """What tells it from another batch."""
        parts = [f"{name} {x!r}" for name, x in sorted(self.parameters.items())]
        return "|".join(parts).encode() + b"".join(name.encode() + row.tobytes() for name, row in self.rows.items())


_COMMON = {
    "policy_chosen_logps": (-10.25, -21.5, -5.125, -33.75, -14.0, -8.5),
    "policy_rejected_logps": (-12.5, -25.25, -9.0, -30.5, -13.25, -20.125),
    "ref_chosen_logps": (-11.5, -19.75, -6.5, -36.0, -12.5, -12.25),
    "ref_rejected_logps": (-12.0, -23.0, -8.25, -31.0, -15.75, -18.5),
    "chosen_lengths": (7.0, 13.0, 4.0, 21.0, 9.0, 6.0),
    "rejected_lengths": (9.0, 15.0, 7.0, 18.0, 8.0, 16.0),
    "policy_kl_logps": (-20.0, -8.5, -31.25, -6.0, -12.75, -17.5),
    "ref_kl_logps": (-21.5, -7.25, -32.0, -7.875, -11.5, -18.5),
}


def common() -> LossBatch:
    """Six pairs, numbers of every format, that tell losses apart: unequal lengths, unsorted, margins of both signs, and
    neither the mean reward nor the mean logit is 0.
    """
    return LossBatch({name: np.array(row) for name, row in _COMMON.items()}, {})


def settings(loss: Loss) -> list[dict[str, float]]:
    """The parameters at which a loss is told on the six pairs: its defaults, with label smoothing where that is 0, and those
    at which it says that libraries are told apart.
    """
    smoothed = loss.defaults.get("label_smoothing") == 0
    others = [*([{"label_smoothing": 0.1}] if smoothed else []), *loss.compared]
    return [loss.defaults, *({**loss.defaults, **other} for other in others)]


def mirrored(batch: LossBatch) -> LossBatch:
    """Policy and reference exchanged: every log-ratio, and every mean of them, with the other sign."""
    swaps = {"policy": "ref", "ref": "policy"}
    rows = {}
    for name in batch.rows:
        side, _, rest = name.partition("_")
        other = f"{swaps.get(side, side)}_{rest}"
        rows[name] = batch.rows[other if other in batch.rows else name]
    return replace(batch, rows=rows)


def stretched(batch: LossBatch) -> LossBatch:
    """Every log-probability times 8, exactly: what a bound of 16 bits hides at the six pairs is seen there."""
    return replace(batch, rows={name: row if name in LENGTHS else row * 8 for name, row in batch.rows.items()})


def shrunk(batch: LossBatch) -> LossBatch:
    """Every log-probability by 8, exactly: what sums lose in 16 bits is small beside what the loss is made of."""
    return replace(batch, rows={name: row if name in LENGTHS else row / 8 for name, row in batch.rows.items()})


def beside() -> LossBatch:
    """Log-probabilities of few bits, whose log-ratios are 0, or a step of bfloat16 and exact in every format: nothing is lost
    before the loss's own functions, and what bends most near the reference bends there.
    """
    steps = np.array([0.0, 1.0, -1.0, 2.0, 1.0, 8.0]) / 128, np.array([0.0, -1.0, 2.0, 1.0, 1.0, -4.0]) / 128
    ref = np.array([-1.0, -1.25, -1.5, -1.0, -0.75, -1.125]), np.array([-1.5, -1.0, -1.25, -0.75, -1.25, -1.0])
    rows = {"policy_chosen_logps": ref[0] + steps[0], "policy_rejected_logps": ref[1] + steps[1]}
    rows |= {"ref_chosen_logps": ref[0], "ref_rejected_logps": ref[1], "policy_kl_logps": ref[1] + steps[0]}
    lengths = {
        "chosen_lengths": np.array([2.0, 1.0, 4.0, 8.0, 2.0, 1.0]),
        "rejected_lengths": np.array([1.0, 4.0, 2.0, 1.0, 8.0, 4.0]),
    }
    return LossBatch(rows | {"ref_kl_logps": ref[1]} | lengths, {})


def skewed() -> LossBatch:
    """Six pairs of which one is far from the others in every log-ratio, and others in length: a mean of them is no median, no
    cut or trimmed mean, and what it is divided by shows. Exact in every format.
    """
    chosen, rejected = np.array([7.0, 24.0, 8.5, 8.0, 7.5, 77.5]), np.array([-12.0, -14.0, -11.0, -13.0, -12.5, -12.0])
    rows = {"policy_chosen_logps": chosen - 96, "policy_rejected_logps": rejected - 32}
    rows |= {"ref_chosen_logps": np.full(6, -96.0), "ref_rejected_logps": np.full(6, -32.0)}
    rows |= {"policy_kl_logps": np.array([-48.5, -47.75, -47.0, -48.25, -47.5, -1.0]), "ref_kl_logps": np.full(6, -48.0)}
    lengths = {
        "chosen_lengths": np.array([1.0, 2.0, 1.0, 64.0, 1.0, 4.0]),
        "rejected_lengths": np.array([2.0, 1.0, 1.0, 1.0, 96.0, 2.0]),
    }
    return LossBatch(rows | lengths, {})


def certain() -> LossBatch:
    """The six pairs, with one log-probability after the other at 0: a response that is certain, as far as a format tells."""
    rows = {name: row.copy() for name, row in common().rows.items()}
    for place, name in enumerate(name for name in rows if name not in LENGTHS):
        rows[name][place] = 0.0
    return LossBatch(rows, {})


def spread(rng: np.random.Generator, n: int, fmt: Format) -> LossBatch:
    """Pairs from 0.001 to 5 nats a token, near the reference and far from it, of lengths from 1 to 249."""
    lengths = {name: rng.integers(1, 250, n).astype(np.float64) for name in LENGTHS}
    scale, near = 10 ** rng.uniform(-3, 0.7, n), 10 ** rng.uniform(-2, 1.5, n)
    pc, pr = (-scale * length * rng.uniform(0.1, 1, n) for length in lengths.values())
    rows = {
        "policy_chosen_logps": pc,
        "policy_rejected_logps": pr,
        "ref_chosen_logps": np.minimum(pc + rng.normal(0, 1, n) * near, 0),
        "ref_rejected_logps": np.minimum(pr + rng.normal(0, 1, n) * near, 0),
        "policy_kl_logps": pr[::-1],
        "ref_kl_logps": np.minimum(pr[::-1] - rng.normal(0.5, 2, n), 0),
    }
    held = {name: fmt.round_array(np.ascontiguousarray(row)) for name, row in rows.items()}
    below = -fmt.smallest_normal * 2
    return LossBatch({name: np.minimum(row, below) for name, row in held.items()} | lengths, {})


def steep(fmt: Format) -> LossBatch:
    """Log-ratios up to 4000 nats of both signs: past where exponentials of binary16 and binary32 overflow."""
    sizes = np.array([12.0, 20.0, 90.0, 110.0, 750.0, 4000.0])
    rest, zero = np.full(2 * sizes.size, -8.0), np.full(2 * sizes.size, -8.0)
    both: NDArray[np.float64] = np.concatenate([sizes, sizes])
    sign = np.repeat([1.0, -1.0], sizes.size)
    rows = {
        "policy_chosen_logps": np.where(sign > 0, -8.0, -8.0 - both),
        "policy_rejected_logps": np.where(sign > 0, -8.0 - both, -8.0),
        "ref_chosen_logps": rest,
        "ref_rejected_logps": zero,
        "chosen_lengths": np.tile([4.0, 8.0, 16.0], 4),
        "rejected_lengths": np.tile([2.0, 8.0], 6),
        "policy_kl_logps": rest,
        "ref_kl_logps": rest - 1.0,
    }
    return LossBatch({name: fmt.round_array(row) if "length" not in name else row for name, row in rows.items()}, {})


def joined(batches: Sequence[LossBatch]) -> LossBatch:
    """The pairs of several batches, with the first one's parameters."""
    return LossBatch({name: np.concatenate([b.rows[name] for b in batches]) for name in batches[0].rows}, batches[0].parameters)
