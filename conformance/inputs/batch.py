"""A batch: the exact inputs of one call of an implementation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from oracle.formats import Floats

NAMES = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n preference pairs: four arrays of n log-probabilities in nats, with one beta and one label_smoothing.

    The arrays hold numbers of the judged format, exactly, as float64.
    """

    policy_chosen_logps: Floats
    policy_rejected_logps: Floats
    ref_chosen_logps: Floats
    ref_rejected_logps: Floats
    beta: float = 0.1
    label_smoothing: float = 0.0

    @classmethod
    def of(
        cls,
        policy_chosen_logps: ArrayLike,
        policy_rejected_logps: ArrayLike,
        ref_chosen_logps: ArrayLike = 0.0,
        ref_rejected_logps: ArrayLike = 0.0,
        *,
        beta: float = 0.1,
        label_smoothing: float = 0.0,
    ) -> Batch:
        """The four arguments as float64, broadcast to one length."""
        given = (policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in given))
        pc, pr, rc, rr = (np.ascontiguousarray(array) for array in arrays)
        return cls(pc, pr, rc, rr, beta, label_smoothing)

    @classmethod
    def at_logits(cls, z: ArrayLike, *, label_smoothing: float = 0.0) -> Batch:
        """Logits fed exactly: beta = 1, z >= 0 as policy_rejected = -z and z < 0 as policy_chosen = z, the rest 0.

        No log-probability is positive, so code that insists on logps <= 0 can be judged too. NaN is a NaN chosen logp.
        """
        logits = np.atleast_1d(np.asarray(z, dtype=np.float64))
        up, nothing = logits >= 0, np.zeros(logits.shape)
        if up.all():
            pc, pr = np.zeros(logits.shape), -logits
        elif up.any():
            pc, pr = np.where(up, 0.0, logits), np.where(up, -logits, 0.0)
        else:
            pc, pr = logits.copy(), np.zeros(logits.shape)
        return cls(pc, pr, nothing, nothing.copy(), 1.0, label_smoothing)

    def __len__(self) -> int:
        return len(self.policy_chosen_logps)

    @property
    def logps(self) -> tuple[Floats, Floats, Floats, Floats]:
        """The four arrays, in the order of every signature."""
        return self.policy_chosen_logps, self.policy_rejected_logps, self.ref_chosen_logps, self.ref_rejected_logps

    def take(self, index: slice | ArrayLike) -> Batch:
        """The pairs at those places."""
        places = index if isinstance(index, slice) else np.atleast_1d(np.asarray(index))
        pc, pr, rc, rr = (array[places] for array in self.logps)
        return Batch(pc, pr, rc, rr, self.beta, self.label_smoothing)

    def with_value(self, place: int, index: int | slice, value: float) -> Batch:
        """The same pairs but for that value in one of the four arrays, at that pair or those."""
        logps = [array.copy() if i == place else array for i, array in enumerate(self.logps)]
        logps[place][index] = value
        pc, pr, rc, rr = logps
        return Batch(pc, pr, rc, rr, self.beta, self.label_smoothing)

    def at(self, *, beta: float | None = None, label_smoothing: float | None = None) -> Batch:
        """The same pairs with another beta or label_smoothing."""
        return replace(
            self,
            beta=self.beta if beta is None else beta,
            label_smoothing=self.label_smoothing if label_smoothing is None else label_smoothing,
        )
