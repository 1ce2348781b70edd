"""A vector: one question with a proven answer. A chapter: the vectors of one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from conformance.inputs.batch import Batch
from oracle import FORMATS, Format, bounds, get_format
from oracle.bounds import Pairs
from oracle.formats import Floats

Kind = Literal["pair", "mean"]
Bound = Literal["kernel", "interval"]
Logps = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """One pair, or one batch whose mean is asked for: the inputs, what they are, and the bugs that they meet."""

    comment: str
    flags: tuple[str, ...]
    batch: Batch

    @property
    def finite(self) -> bool:
        """True where all log-probabilities are numbers."""
        return all(np.isfinite(values).all() for values in self.batch.logps)

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats that hold every log-probability, and in which nothing on the way to the logit overflows."""
        return tuple(fmt for fmt in FORMATS if _holds(fmt, self.batch) and (not self.finite or _reaches(fmt, self.batch)))


@dataclass(frozen=True, slots=True, eq=False)
class Chapter:
    """The vectors of one file.

    kind: "pair" asks for one loss and its derivatives, "mean" for the mean of a batch. bound: "kernel" allows a few
    ulps of the exact value, where the logit is fed exactly; "interval" is the acceptance interval from conditioning.
    """

    name: str
    about: str
    vectors: tuple[Vector, ...]
    kind: Kind = "pair"
    bound: Bound = "interval"


def as_pairs(batch: Batch) -> Pairs:
    """The batch as the bounds see it."""
    return Pairs(*batch.logps, batch.beta, batch.label_smoothing)


def _holds(fmt: Format, batch: Batch) -> bool:
    return all(((fmt.round_array(values) == values) | np.isnan(values)).all() for values in batch.logps)


def _reaches(fmt: Format, batch: Batch) -> bool:
    return bool(bounds.representable(as_pairs(batch), fmt).all())


def pair(comment: str, *flags: str, logps: Logps, beta: float = 0.1, eps: float = 0.0, rounded: str = "bfloat16") -> Vector:
    """One pair whose log-probabilities are rounded into a format first: it is a vector of every format that holds them.

    Raises ValueError where one of them is beyond that format.
    """
    return Vector(comment, flags, Batch.of(*_held(rounded, logps), beta=beta, label_smoothing=eps))


def pairs(
    comment: str, *flags: str, logps: Logps, beta: float = 0.1, eps: float = 0.0, wide: tuple[str, ...] = ()
) -> tuple[Vector, ...]:
    """The pair as numbers of each format in turn, from the coarsest: at most four vectors, those that differ.

    wide: flags of the versions in binary32 and binary64 alone, because what they are about is lost in 16 bits.
    """
    made: list[Vector] = []
    for fmt in sorted(FORMATS, key=lambda fmt: fmt.precision):
        carried = flags if fmt.width == 16 else (*flags, *wide)
        vector = pair(f"{comment}, in {fmt}", *carried, logps=logps, beta=beta, eps=eps, rounded=fmt.name)
        if not any(_same(vector, other) for other in made):
            made.append(vector)
    return tuple(made)


def _same(vector: Vector, other: Vector) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(vector.batch.logps, other.batch.logps, strict=True))


def logit(z: float, comment: str, *flags: str, eps: float = 0.0, rounded: str = "binary64") -> Vector:
    """A logit fed exactly, rounded into a format first: beta = 1 and one log-probability of -|z|, the others 0."""
    return Vector(comment, flags, Batch.at_logits(_held(rounded, z), label_smoothing=eps))


def mean(comment: str, *flags: str, logps: Sequence[Logps], beta: float = 0.1, eps: float = 0.0) -> Vector:
    """A batch whose mean loss is asked for; the log-probabilities are numbers of bfloat16."""
    return Vector(comment, flags, Batch.of(*_held("bfloat16", logps).T, beta=beta, label_smoothing=eps))


def _held(fmt: str, values: ArrayLike) -> Floats:
    """The values as numbers of a format. Raises ValueError where a finite one would become infinite."""
    rounded = get_format(fmt).round_array(values)
    if (np.isinf(rounded) & np.isfinite(values)).any():
        raise ValueError(f"{values!r}: beyond the largest number of {fmt}")
    return rounded
