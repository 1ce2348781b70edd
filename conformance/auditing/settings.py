"""How the run was configured, as far as it is told; what is not told is not assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from conformance.auditing.shapes import LOSSES, Shape
from conformance.errors import BadRequest
from oracle import Format, OracleError, get_format
from oracle.arguments import read


@dataclass(frozen=True, slots=True)
class Settings:
    """loss: a name of `shapes.LOSSES`. beta, label_smoothing, parameters: exact numbers, or None where not told.

    pairs_per_line: the pairs whose mean a line is. accumulation, ranks: micro-batches a step, and processes. dtype: the
    format in which losses and rewards are computed. added_term: whether a term that is never negative is added to the loss
    (an NLL: rpo_alpha, cpo_alpha, pref_ftx). reference_free: whether the loss is one of the policy alone, the rewards not.
    """

    loss: str = "sigmoid"
    beta: Fraction | None = None
    label_smoothing: Fraction | None = None
    parameters: Mapping[str, Fraction] = field(default_factory=dict)
    pairs_per_line: int | None = None
    accumulation: int | None = None
    ranks: int | None = None
    dtype: Format | None = None
    added_term: bool | None = None
    reference_free: bool = False

    @classmethod
    def of(
        cls,
        *,
        loss: str = "sigmoid",
        beta: object = None,
        label_smoothing: object = None,
        pairs_per_line: int | None = None,
        accumulation: int | None = None,
        ranks: int | None = None,
        dtype: str | Format | None = None,
        parameters: Mapping[str, object] | None = None,
        added_term: bool | None = None,
        reference_free: bool = False,
    ) -> Settings:
        """The settings, checked. Raises BadRequest, naming the setting, its value and what it may be."""
        if loss not in LOSSES:
            raise BadRequest(f"loss = {loss!r}: one of {', '.join(LOSSES)}")
        for name, count in (("pairs_per_line", pairs_per_line), ("accumulation", accumulation), ("ranks", ranks)):
            if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
                raise BadRequest(f"{name} = {count!r}: a whole number, 1 or more")
        try:
            fmt = None if dtype is None else get_format(dtype)
        except OracleError as error:
            raise BadRequest(f"dtype: {error}") from None
        eps = _number("label_smoothing", label_smoothing)
        if eps is not None and not 0 <= eps <= 1:
            raise BadRequest(f"label_smoothing = {label_smoothing}: a number in [0, 1]")
        known = {name: number for name, value in (parameters or {}).items() if (number := _number(name, value)) is not None}
        counts = pairs_per_line, accumulation, ranks
        made = cls(loss, _number("beta", beta), eps, known, *counts, fmt, added_term, reference_free)
        made.shape()  # raises where a parameter is outside its domain, or unknown
        return made

    def shape(self) -> Shape | None:
        """The configured loss as a function of the logit; None where a parameter that it needs is not told."""
        return LOSSES[self.loss](self.beta, self.label_smoothing, self.parameters)

    @property
    def told(self) -> dict[str, str]:
        """What was told, by name, as a report has it."""
        told: dict[str, object] = {name: getattr(self, name) for name in ("loss", "beta", "label_smoothing")}
        told |= dict(self.parameters)
        told |= {name: getattr(self, name) for name in ("pairs_per_line", "accumulation", "ranks")}
        told |= {"dtype": None if self.dtype is None else self.dtype.name, "added_term": self.added_term}
        told |= {"reference_free": self.reference_free or None}
        return {name: _text(value) for name, value in told.items() if value is not None}

    @property
    def missing(self) -> str:
        """What would have to be told for the loss to be known, as options of the command line."""
        names = {"beta": self.beta, "label_smoothing": self.label_smoothing}
        wanted = [name for name in LOSSES[self.loss].needs if names.get(name, self.parameters.get(name)) is None]
        return ", ".join("--" + name.replace("_", "-") for name in wanted)


def _text(value: object) -> str:
    """A number as it was told: 0.1, not 1/10 and not the digits of its float64."""
    if isinstance(value, Fraction):
        number = float(value)
        short = next((text for text in (f"{number:g}", repr(number)) if Fraction(text) == value or float(text) == value), None)
        return short or str(value)
    return str(value)


def shape_of(told: Mapping[str, str]) -> Shape | None:
    """The shape of the loss of which a report was told; None where it was told of none. Raises BadRequest."""
    if "loss" not in told:
        return None
    needs = LOSSES[told["loss"]].needs if told["loss"] in LOSSES else ()
    own = {name: told[name] for name in needs if name in told and name not in {"beta", "label_smoothing"}}
    beta, eps = told.get("beta"), told.get("label_smoothing")
    return Settings.of(loss=told["loss"], beta=beta, label_smoothing=eps, parameters=own).shape()


def _number(name: str, value: object) -> Fraction | None:
    """The exact number; None for None. Raises BadRequest."""
    if value is None:
        return None
    try:
        number = read(name, value)
    except OracleError as error:
        raise BadRequest(str(error)) from None
    if not isinstance(number, Fraction):
        raise BadRequest(f"{name} = {value}: a finite number")
    return number
