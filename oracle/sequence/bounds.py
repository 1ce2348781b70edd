"""How far off a log-probability, its gradient or a sum of them may be in correct arithmetic, in nats.

docs/bounds.md, "From logits", derives every line. u is that of the format in which an implementation accumulates. The constant
of the vocabulary's sum is what tells two correct codes apart: V - 1 in any order (MUST), 2 log2 V + 16 in blocks or pairwise
(SHOULD).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle import enclosure
from oracle.ball import Enclosure
from oracle.bounds.acceptance import centre
from oracle.formats import Floats, Format
from oracle.sequence.certified import token_logps

SLACK = 1 + 2.0**-20
"""The bounds' own arithmetic is float64, and they leave out products of two errors."""
EXP, LOG = 4.0, 4.0
"""Relative error of exp and of log, in units of u: 2 ulp."""
FAR = 1000.0
"""Nats from which on a log-sum-exp comes from a level in all logits."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Some tokens, each with its row of logits, and what bounds its error.

    logp: exact, as balls. lead: z_t - m, not positive. level: |m + log s|, the log-sum-exp. spread: E_p|z - m|. size:
    |z_t| + E_p|z|. log_sum: log s. apart: E_q|z - z_t| over the others. All over the temperature, in nats; V finite logits.
    """

    logp: Enclosure
    lead: Floats
    level: Floats
    spread: Floats
    size: Floats
    log_sum: Floats
    apart: Floats
    columns: int
    temperature: float

    @classmethod
    def of(cls, logits: NDArray[np.generic], labels: NDArray[np.integer], temperature: float = 1.0) -> Tokens:
        """logits: (N, V), a label each. Undefined rows and impossible labels have infinite bounds. Raises as `token_logps`."""
        logp = token_logps(logits, labels, temperature)
        columns = [_facts(logits[i].astype(np.float64) / temperature, int(labels[i])) for i in range(len(labels))]
        lead, level, spread, size, log_sum, apart = np.array(columns, dtype=np.float64).reshape(len(labels), 6).T
        return cls(logp, lead, level, spread, size, log_sum, apart, logits.shape[-1], temperature)

    @property
    def exact(self) -> Floats:
        """The log-probabilities to float64."""
        return centre(self.logp)

    @property
    def merges(self) -> Floats:
        """How often a stored log-sum-exp is rounded: once, and at each of V - 1 merges where it comes from a level."""
        return np.where(self.level > FAR, float(max(self.columns, 1)), 1.0)

    def error(self, fmt: Format, constant: float, *, flush: bool = False) -> Floats:
        """What one log-probability may be off by before it is stored, the constant of the sum given."""
        u = fmt.unit_roundoff
        inner = np.abs(self.lead) + self.level * self.merges + self.spread + EXP + LOG * self.log_sum + 2 * np.abs(self.exact)
        if self.temperature != 1:
            inner = inner + 2 * self.size
        floor = self.columns * (fmt.smallest_normal if flush else fmt.smallest_subnormal)
        return np.asarray((inner * u + summation(constant, u, self.log_sum)) * SLACK + floor)

    def near_zero(self, fmt: Format) -> Floats:
        """What a log-probability may be off by where the target is kept apart: relative to itself."""
        inner = self.apart + EXP + 2 + should(self.columns) + (2 * self.size if self.temperature != 1 else 0)
        return np.asarray(np.abs(self.exact) * inner * fmt.unit_roundoff * SLACK + 2 * fmt.smallest_normal)


def _facts(z: Floats, label: int) -> tuple[float, ...]:
    """lead, level, spread, size, log_sum, apart of one row."""
    finite = z[np.isfinite(z)]
    if not finite.size or not np.isfinite(z[label]) or np.isnan(z).any() or np.isposinf(z).any():
        return -math.inf, math.inf, math.inf, math.inf, math.inf, math.inf
    m = float(finite.max())
    weight = np.exp(finite - m)
    s = float(weight.sum())
    others = np.delete(z, label)
    others = others[np.isfinite(others)]
    apart = 0.0
    if others.size:
        q = np.exp(others - others.max())
        apart = float((q * np.abs(others - z[label])).sum() / q.sum())
    spread, size = float((weight * (m - finite)).sum() / s), float((weight * np.abs(finite)).sum() / s)
    return float(z[label]) - m, abs(m + math.log(s)), spread, abs(float(z[label])) + size, math.log(s), apart


def must(columns: int) -> float:
    """C of a sum of V terms in any order: V - 1 roundings (Higham 2002, section 4.2)."""
    return max(columns - 1.0, 1.0)


def should(columns: int) -> float:
    """C of a sum in blocks of 16, the blocks pairwise: 2 log2 V + 16."""
    return 2 * math.log2(max(columns, 2)) + 16


def summation(constant: float, u: float, log_sum: Floats) -> Floats:
    """What log s may be off by: C u / (1 - C u); where that says nothing, C u upward and log s downward, as s >= 1."""
    grown = constant * u
    return np.full(log_sum.shape, grown / (1 - grown)) if grown <= 0.5 else np.maximum(grown, log_sum)


def constant(tokens: Tokens, got: Floats, fmt: Format) -> Floats:
    """The C that an error shows: what is left of it in units of u when everything but the sum is given its whole bound."""
    left = np.abs(got - tokens.exact) - tokens.error(fmt, 0.0)
    return np.asarray(np.maximum(left / fmt.unit_roundoff, 0.0))


def stored(values: Floats, fmt: Format) -> Floats:
    """Half an ulp of each value in the format of the result."""
    size = np.maximum(np.abs(values), fmt.smallest_normal)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isfinite(size), fmt.unit_roundoff * size, 0.0) + fmt.smallest_subnormal)


def total(errors: Floats, values: Floats, fmt: Format) -> float:
    """A sum of n values, each off by its error, added up in the format in any order: n - 1 roundings more."""
    n = len(values)
    growth = math.expm1(max(n - 1, 0) * math.log1p(fmt.unit_roundoff))
    more = growth * float(np.sum(np.abs(values) + errors)) if growth else 0.0
    return (float(np.sum(errors)) + more) * SLACK


def gradient(logps: Floats, own: NDArray[np.intp], error: Floats, fmt: Format) -> Floats:
    """What each entry delta_tj - p_j of some rows may be off by; (N, V) log-probabilities of every column.

    p_j = exp(logp_j) or exp(z_j - lse), off by as much, relative, as a log-probability absolutely; the target's 1 - p_t by
    u besides. error: (N, V), the bound of each column's log-probability.
    """
    with np.errstate(over="ignore", under="ignore"):
        p = np.exp(logps)
        off = p * np.expm1(np.minimum(error + (EXP + 2) * fmt.unit_roundoff, 50.0))
    rows = np.arange(len(own))
    off[rows, own] += fmt.unit_roundoff
    return np.asarray(off * SLACK + 4 * fmt.smallest_subnormal)


def slope_range(z: float, error: float, beta: float) -> tuple[float, float]:
    """The least and the greatest of beta * sigma(-z') for z' within the error of z."""
    low, high = (float(centre(enclosure.sigmoid_minus(np.array([z + side * error])))[0]) for side in (1, -1))
    return beta * low, beta * high
