"""Pairs as token logits of policy and reference, and lists of micro-batches of pairs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from conformance.inputs.batch import Batch
from conformance.inputs.sequences import Rows, drawn, full, joined
from oracle.formats import Floats, Format


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """n pairs: policy and reference logits of the same sequences, the n chosen ones first, then the n rejected ones; then, of
    3 groups, n others. parameters: of the loss, by name.
    """

    policy: Rows
    reference: Rows
    parameters: Mapping[str, float] = field(default_factory=lambda: {"beta": 0.1, "label_smoothing": 0.0})
    groups: int = 2

    def __len__(self) -> int:
        return self.policy.shape[0] // self.groups

    @property
    def places(self) -> list[slice]:
        """Where the sequences of each group are."""
        return [slice(i * len(self), (i + 1) * len(self)) for i in range(self.groups)]

    def at(self, **parameters: float) -> Paths:
        """The same pairs with other options."""
        return replace(self, parameters={**self.parameters, **parameters})

    def exchanged(self) -> Paths:
        """Policy and reference exchanged."""
        return replace(self, policy=self.reference, reference=self.policy)

    def rejected_first(self) -> Paths:
        """Chosen and rejected exchanged, and with them what is longer."""
        chosen, rejected, *others = (list(range(self.policy.shape[0]))[place] for place in self.places)
        order = [*rejected, *chosen, *itertools.chain(*others)]
        return replace(self, policy=self.policy.take(order), reference=self.reference.take(order))

    def with_others(self) -> Paths:
        """With a third response of each pair: a chosen one, the last pair's first, that the policy has left for the
        reference, so that its mean log-ratio is none of the two others'.
        """
        rows = list(range(len(self)))[::-1]
        sides = (self.policy, self.reference), (self.reference, self.policy)
        policy, reference = (joined(own, other.take(rows)) for own, other in sides)
        return replace(self, policy=policy, reference=reference, groups=3)

    def described(self) -> str:
        """What it is and how large."""
        named = {"beta": "β", "label_smoothing": "ε"}
        told = [f"{named.get(name, name)} {x:g}" for name, x in self.parameters.items()]
        return ", ".join([f"{len(self)} pairs", self.policy.described(), *told])


def drawn_pairs(rng: np.random.Generator, fmt: Format, pairs: int, length: int, columns: int, *, drift: float = 0.5) -> Paths:
    """A policy that has drifted from its reference."""
    policy = drawn(rng, fmt, 2 * pairs, length, columns, name="a policy beside its reference")
    drifted = fmt.round_array(policy.logits + rng.normal(0, drift, policy.logits.shape))
    return Paths(policy, replace(policy, logits=drifted))


def full_pairs(policy: Floats, reference: Floats, labels: Sequence[int], name: str = "one token a response") -> Paths:
    """Pairs of one token a response: logits (2n, V) of policy and reference, and a label each."""
    return Paths(full(policy, labels, name), full(reference, labels, name))


def distant_pairs(fmt: Format) -> Paths:
    """Log-ratios of 30 to 8,000 nats, of the chosen response or of the rejected one, on four tokens of three columns."""
    leads = np.array([30.0, 120.0, 300.0, 1200.0, 8000.0])
    n = 2 * len(leads)
    near, far = np.zeros((2 * n, 5, 3)), np.zeros((2 * n, 5, 3))
    for i, lead in enumerate(leads):
        far[i, :, 1] = far[n + len(leads) + i, :, 2] = lead / 4  # the reference of the chosen, then of the rejected response
    mask = np.ones((2 * n, 5), dtype=bool)
    mask[:, 0] = False
    labels = np.zeros((2 * n, 5), dtype=np.int64)
    policy, reference = (Rows("far from the reference", fmt.round_array(x), labels, mask) for x in (near, far))
    return Paths(policy, reference)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A batch of pairs, cut into micro-batches or ranks of these sizes, which may be 0."""

    batch: Batch
    sizes: tuple[int, ...]

    @property
    def each(self) -> list[Batch]:
        """The micro-batches."""
        ends = np.cumsum(self.sizes)
        return [self.batch.take(np.arange(end - size, end)) for size, end in zip(self.sizes, ends, strict=True)]

    def described(self) -> str:
        """How it is cut."""
        sizes = self.sizes if len(self.sizes) <= 8 else (*self.sizes[:8], "...")
        return f"{len(self.batch)} pairs in parts of {', '.join(map(str, sizes))}, β {self.batch.beta:g}"
