"""Pairs that are asked for again and again: a number that has been judged for its pair is judged once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.quantities import LOSS
from conformance.clauses.tally import Tally
from conformance.inputs.batch import Batch
from oracle.bounds import Acceptance
from oracle.formats import Floats


@dataclass(slots=True)
class Repeats:
    """Adds to the tally each number that differs from the one judged before for the same pair: a loss, or a derivative,
    of which the four are one number of two signs.

    Equal numbers for one pair have one verdict, so that nothing is missed; a finding's points are the unlike numbers.
    """

    tally: Tally
    pool: Batch
    _known: dict[bool, Floats] = field(default_factory=dict)

    def interval(
        self,
        quantity: str,
        got: Floats,
        acceptance: Acceptance,
        sign: float = 1.0,
        *,
        pairs: NDArray[np.intp] | None = None,
        told: str = "",
    ) -> None:
        """got: the quantity of those pairs of the pool, of all by default; told: what is added to the quantity's name.

        acceptance: the pool's. A pair may occur more than once.
        """
        pairs = np.arange(len(got)) if pairs is None else pairs
        known = self._known.setdefault(quantity == LOSS, np.full(len(self.pool), np.nan))
        signed = sign * got
        if np.array_equal(signed, known[pairs]):
            return
        new = np.flatnonzero(np.isnan(known[pairs]))
        first = new[np.unique(pairs[new], return_index=True)[1]]
        known[pairs[first]] = signed[first]
        judged = np.union1d(first, np.flatnonzero(signed != known[pairs]))
        if judged.size:
            these = pairs[judged]
            self.tally.interval(quantity + told, self.pool.take(these), got[judged], acceptance[these], sign)
