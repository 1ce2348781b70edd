"""What a loss says about itself, in one place: the declaration that every file of this package makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from oracle.arguments import read
from oracle.errors import NotFinite, OutOfRange
from oracle.expressions.nodes import Node, inputs_of, parameters_of

LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")
LENGTHS = ("chosen_lengths", "rejected_lengths")
KL_LOGPS = ("policy_kl_logps", "ref_kl_logps")
INPUTS = (*LOGPS, *LENGTHS, *KL_LOGPS)
"""Every input that a loss may take, in the order of signatures. Log-probabilities in nats, lengths in tokens."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The numbers that a parameter may be, and the words for them."""

    text: str
    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False
    nonzero: bool = False

    def __contains__(self, x: Fraction) -> bool:
        above = self.low is None or x > self.low or (x == self.low and not self.low_open)
        below = self.high is None or x < self.high or (x == self.high and not self.high_open)
        return above and below and not (self.nonzero and x == 0)


REAL = Domain("a finite number")
POSITIVE = Domain("a number > 0", low=Fraction(0), low_open=True)
NOT_NEGATIVE = Domain("a number >= 0", low=Fraction(0))
NONZERO = Domain("a finite number other than 0", nonzero=True)
UNIT = Domain("a number in [0, 1]", low=Fraction(0), high=Fraction(1))
OPEN_UNIT = Domain("a number in (0, 1)", low=Fraction(0), high=Fraction(1), low_open=True, high_open=True)
BELOW_HALF = Domain("a number in [0, 1/2)", low=Fraction(0), high=Fraction(1, 2), high_open=True)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a loss that is the same for a whole batch."""

    name: str
    default: float
    domain: Domain
    meaning: str
    other: float | None = None
    """A value beside the default at which an ignored parameter shows; chosen by the suite where it is None."""

    def read(self, value: object) -> Fraction:
        """The exact value. Raises NotANumber, NotFinite or OutOfRange, naming the parameter and its domain."""
        exact = read(self.name, value)
        if not isinstance(exact, Fraction):
            raise NotFinite(self.name, value, self.domain.text)
        if exact not in self.domain:
            raise OutOfRange(self.name, value, self.domain.text)
        return exact


BETA = Parameter("beta", 0.1, POSITIVE, "inverse temperature: scales the log-ratios", other=0.3)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What released code or a plausible slip computes in place of the loss."""

    name: str
    sentence: str
    definition: Node


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of the loss at every input: for the page, and for reading a log that was kept while training.

    `lower_bound`, `upper_bound` and `at_reference` (policy = reference) are expressions of the parameters, None where
    there is no such number; `convex` is in the log-probabilities together.
    """

    convex: bool
    lower_bound: Node | None
    upper_bound: Node | None = None
    at_reference: Node | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss, defined once. Values, gradients, limits, bounds, clauses, vectors and its page all follow from this."""

    name: str
    title: str
    definition: Node
    parameters: tuple[Parameter, ...]
    paper: str
    equation: str
    facts: Facts
    aliases: Mapping[str, str] = field(default_factory=dict)
    singular: tuple[str, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    compared: tuple[Mapping[str, float], ...] = ()
    """Parameters beside the defaults, some of them, at which libraries are told apart: their values stand on one page."""
    covered: str = ""
    """Which theorem of docs/termination.md makes its questions end; empty where none does and effort is bounded."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it takes of a pair, in the order of `INPUTS`."""
        used = inputs_of(self.definition)
        return tuple(name for name in INPUTS if name in used)

    @property
    def logps(self) -> tuple[str, ...]:
        """The inputs that are log-probabilities: those in which it has derivatives."""
        return tuple(name for name in self.inputs if name not in LENGTHS)

    @property
    def has_batch_state(self) -> bool:
        """Whether a pair's value depends on the other pairs of its batch."""
        return self.definition.of_batch

    @property
    def defaults(self) -> dict[str, float]:
        """The parameters' defaults."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    @property
    def telling(self) -> dict[str, float]:
        """Values of the parameters at which each of them shows, apart from the others and from having been ignored."""
        return {p.name: p.default if p.other is None else p.other for p in self.parameters}

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name."""
        return next(parameter for parameter in self.parameters if parameter.name == name)

    def variant(self, wrong: Wrong) -> Loss:
        """The wrong variant as a loss of its own, with the same parameters, some of which it may ignore."""
        return replace(self, name=f"{self.name}/{wrong.name}", title=wrong.sentence, definition=wrong.definition, wrong=())

    def __post_init__(self) -> None:
        declared, used = {parameter.name for parameter in self.parameters}, set(parameters_of(self.definition))
        named = {name for parameters in self.compared for name in parameters}
        strange = (set(inputs_of(self.definition)) - set(INPUTS)) | ((used | named) - declared)
        idle = set() if "/" in self.name else declared - used
        if strange or idle:
            raise TypeError(f"loss {self.name}: {sorted(strange | idle)} do not fit its definition")
