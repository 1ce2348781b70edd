"""One implementation on trial in one format: what a check may ask of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from conformance.clauses.admitted import may_be_refused
from conformance.errors import Misbehaviour
from conformance.implementations.protocol import DEFAULTS, Answer, Compiling, Curved, Implementation, Versatile, Weighing
from conformance.implementations.ways import Twice, Way
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.pairs import golden
from conformance.inputs.profiles import Profile
from oracle import Format
from oracle.formats import Floats

AROUND_VECTORS = (1, 2, 3, 7, 8, 9, 16, 17, 33, 65, 128, 129)
"""Around every vector width and unrolling that CPUs and GPUs use."""
POWERS = tuple(n + d for n in (256, 512, 1024, 2048, 4096) for d in (-1, 0, 1))
"""The blocks that kernels take, with one pair less and one more."""
MANY = 1_025
"""The size at which what a few pairs show is asked again: the path of a block may drop what theirs keeps, a NaN above all."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The implementation, the format, the profile and the seed of a run; no state, so that no check sees another.

    alive: what a check of minutes calls now and then, with how much it has done and how much there is.
    """

    implementation: Implementation
    fmt: Format
    profile: Profile
    seed: int
    alive: Callable[[int, int], None] | None = None

    def rng(self, clause: str) -> np.random.Generator:
        """A generator of its own for each clause and format: what ran before does not matter."""
        key = zlib.crc32(f"{clause} {self.fmt.name}".encode())
        return np.random.default_rng([self.seed, key])

    @property
    def flush(self) -> bool:
        """True where the implementation declares that it flushes subnormals to zero."""
        return self.implementation.claims.subnormals == "flush"

    @property
    def accumulation(self) -> Format | None:
        """The format in which it declares to add up."""
        return self.implementation.claims.accumulation

    @property
    def single(self) -> bool:
        """True where the implementation returns a mean, so that a loss is had only by calling it with one pair."""
        return self.implementation.claims.reduction == "mean"

    @property
    def sizes(self) -> Profile:
        """The profile's sizes of the input sets; an eighth where every pair costs a call."""
        if not self.single:
            return self.profile
        fewer = {name: max(1, getattr(self.profile, name) // 8) for name in ("logits_per_binade", "around", "pairs")}
        return replace(self.profile, **fewer, dense=max(1, self.profile.dense // 128))

    @property
    def compiles(self) -> bool:
        """True where its framework compiles for each size of a batch."""
        return isinstance(self.implementation, Compiling) and self.implementation.compiles_each_size

    def few_to_130(self, clause: str) -> tuple[int, ...]:
        """Sizes of batches from 1 to 130: every one, or those around vectors and four drawn ones where each is compiled for."""
        if self.compiles:
            return tuple(sorted({*AROUND_VECTORS, *self.rng(f"{clause} few").integers(2, 130, 4).tolist()}))
        return tuple(range(1, 131))

    @property
    def past_blocks(self) -> tuple[int, ...]:
        """Sizes of one pair past blocks and past places of 16 bits; in binary16 one alone, whose 1 / n is a normal number."""
        return (8_193, 65_537) if self.fmt.emax > 16 else (8_193,)

    def offered(self, option: str, values: Iterable[float]) -> tuple[float, ...]:
        """Those values of an option that the implementation claims to honour, but for those that it may refuse and does; its
        default where none is left.
        """
        asked = tuple(values) if option in self.implementation.claims.options else ()
        return tuple(value for value in asked if not self.refuses(option, value)) or (DEFAULTS[option],)

    def refuses(self, option: str, value: float) -> bool:
        """Whether it refuses the losses of ordinary pairs at that value, which it may; OPTION-6 and -7 judge how it does so.

        Raises Misbehaviour where it refuses once and then answers.
        """
        if not may_be_refused(**{option: value}):
            return False
        pairs = golden().at(**{option: value})
        try:
            refused = self.raises(pairs, gradient=False)
        except Misbehaviour as error:
            if not error.kind.startswith("wrong "):
                raise
            return False  # an answer, if none that can be read: it is judged where the value is asked for
        if refused and not self.raises(pairs, gradient=False):
            raise Misbehaviour(
                "raised", f"at {option} = {value:g} it refuses {len(pairs)} pairs and answers them when asked again"
            )
        return refused

    def raises(self, batch: Batch, *, gradient: bool) -> bool:
        """Whether it answers by an exception. Raises Misbehaviour of any other kind."""
        try:
            self.answer(batch, gradient=gradient)
        except Misbehaviour as error:
            if error.kind != "raised":
                raise
            return True
        return False

    def optioned(self, batch: Batch, *, beta: float, label_smoothing: float) -> Batch:
        """The pairs at that beta and that label smoothing, each where it is claimed."""
        (beta,), (eps,) = self.offered("beta", (beta,)), self.offered("label_smoothing", (label_smoothing,))
        return batch.at(beta=beta, label_smoothing=eps)

    def answer(self, batch: Batch, *, gradient: bool = False, strided: bool = False) -> Answer:
        """Per-pair losses, and derivatives; one that reduces to the mean is asked for one pair at a time.

        Raises Misbehaviour, as the implementation does.
        """
        return self._asked(
            batch, lambda pairs, _: self.implementation.evaluate(pairs, self.fmt, gradient=gradient, strided=strided)
        )

    def weighed(self, judged: Weighing, batch: Batch, weights: Floats, *, policy_alone: bool = False) -> Answer:
        """As `answer`, with the derivatives of the weighted sum. judged is the implementation on trial.

        Raises Misbehaviour, as the implementation does.
        """
        return self._asked(
            batch, lambda pairs, these: judged.weighed(pairs, self.fmt, weights[these], policy_alone=policy_alone)
        )

    def by_way(self, judged: Versatile, way: Way, batch: Batch, weights: Floats, *, gradient: bool) -> Answer:
        """As `answer`, called in that way, with the derivatives of the weighted sum. judged is the implementation on trial.

        Raises Misbehaviour, as the implementation does.
        """
        return self._asked(
            batch,
            lambda pairs, these: judged.by_way(way, pairs, self.fmt, gradient=gradient, weights=weights[these]),
        )

    def twice(self, judged: Curved, how: Twice, place: int, batch: Batch, weights: Floats) -> Answer:
        """As `answer`, with the derivatives of one first derivative of the weighted sum. judged is the implementation on trial.

        Raises Misbehaviour, as the implementation does.
        """
        return self._asked(batch, lambda pairs, these: judged.twice(how, place, pairs, self.fmt, weights[these]))

    def _asked(self, batch: Batch, call: Callable[[Batch, slice], Answer]) -> Answer:
        """What the call answers, of the batch or of each of its pairs; the slice says where these lie in the batch.

        Of no pairs nothing is asked: whether a batch may be empty is a clause of its own, CALL-5.
        """
        if not len(batch):
            return _NOTHING
        if not self.single:
            return call(batch, slice(None))
        return _together([call(batch.take([i]), slice(i, i + 1)) for i in range(len(batch))])


_NOTHING = Answer(np.zeros(0), (np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)), "")


def _together(singles: list[Answer]) -> Answer:
    """The answers to one pair each as that to a batch of them."""
    losses = np.array([float(single.losses) for single in singles], dtype=np.float64)
    wrote = tuple(name for name in NAMES if any(name in single.wrote for single in singles))
    return Answer(losses, _joined(singles), singles[0].dtype, wrote)


def _joined(
    singles: list[Answer],
) -> tuple[Floats | None, Floats | None, Floats | None, Floats | None] | None:
    if singles[0].gradient is None:
        return None
    columns = zip(*(single.gradient for single in singles if single.gradient is not None), strict=True)
    pc, pr, rc, rr = (
        None if any(part is None for part in column) else np.concatenate([part for part in column if part is not None])
        for column in columns
    )
    return pc, pr, rc, rr
