"""What the suite asks of code that works on token logits: what it claims, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from conformance.errors import BadClaim
from conformance.implementations.protocol import Claims
from conformance.implementations.protocol import claims as loss_claims
from conformance.inputs.sequences import Rows
from oracle import FORMATS, Format, UnknownFormat, get_format
from oracle.formats import Floats

Returns = Literal["sequence", "token"]
OPTIONS = ("temperature", "chunk")


@dataclass(frozen=True, slots=True)
class SequenceClaims(Claims):
    """What a function of logits, labels and mask says of itself.

    returns: one number a sequence, or one a token. average: the mean over the tokens, not the sum. shift: True where the
    function itself pairs the logits at a place with the next label. ignore_index: the label of a token that does not count,
    and then no mask is passed; None where a mask is. accumulates: the format in which it adds up, by the judged format's name;
    empty for that of its result. infinities: False where a logit of -inf is not for it. options: "temperature" and "chunk".
    incoming: its derivatives can be asked with any incoming ones. head: it is a fused head, with derivatives of its own inputs.
    """

    returns: Returns = "sequence"
    average: bool = False
    shift: bool = False
    ignore_index: int | None = None
    accumulates: Mapping[str, Format] = field(default_factory=dict)
    infinities: bool = True
    incoming: bool = False
    head: bool = False

    @property
    def kind(self) -> str:
        """A function of token logits."""
        return "sequence"

    @property
    def claimed(self) -> frozenset[str]:
        """What a clause may need and it claims."""
        return self.options | self.capable | {self.returns}

    @property
    def capable(self) -> frozenset[str]:
        """What it says that it has, besides options."""
        return frozenset(name for name in ("gradient", "infinities", "incoming", "head") if getattr(self, name))

    def arithmetic(self, fmt: Format, dtype: str) -> Format:
        """The format in which it adds up, for logits of that format and a result of that dtype."""
        if fmt.name in self.accumulates:
            return self.accumulates[fmt.name]
        result = get_format(dtype)
        return result if result.precision >= fmt.precision else fmt

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return {
            "kind": self.kind,
            "formats": [fmt.name for fmt in self.formats],
            "options": sorted(self.options),
            "subnormals": self.subnormals,
            "gradient": self.gradient,
            "notes": dict(self.notes),
            "returns": self.returns,
            "average": self.average,
            "shift": self.shift,
            "ignore_index": self.ignore_index,
            "accumulates": {name: fmt.name for name, fmt in self.accumulates.items()},
            "infinities": self.infinities,
            "incoming": self.incoming,
            "head": self.head,
        }


def sequence_claims(
    *,
    dtypes: Collection[str | Format] | None = None,
    returns: str = "sequence",
    average: bool = False,
    shift: bool = False,
    ignore_index: int | None = None,
    accumulates: str | Format | Mapping[str, str | Format] | None = None,
    options: Collection[str] = (),
    infinities: bool = True,
    gradient: bool = True,
    incoming: bool = False,
    head: bool = False,
    subnormals: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> SequenceClaims:
    """The claims, checked. accumulates: one format for all narrower ones, or one by name. Raises BadClaim."""
    base = loss_claims(
        dtypes=dtypes, reduction="none", options=(), subnormals=subnormals, gradient=gradient, metrics=False, notes=notes
    )
    if returns not in {"sequence", "token"}:
        raise BadClaim(f"returns = {returns!r}: 'sequence' or 'token'")
    if isinstance(options, str) or not set(options) <= set(OPTIONS):
        raise BadClaim(f"options = {options!r}: a collection of some of {', '.join(OPTIONS)}")
    if returns == "token" and average:
        raise BadClaim("average = True: of what returns a number a token, nothing is averaged")
    if ignore_index is not None and (not isinstance(ignore_index, int) or ignore_index >= 0):
        raise BadClaim(
            f"ignore_index = {ignore_index!r}: a negative integer, which is no token; or None where a mask is passed"
        )
    return SequenceClaims(
        formats=base.formats,
        options=frozenset(options),
        subnormals=base.subnormals,
        gradient=gradient,
        notes=base.notes,
        returns="token" if returns == "token" else "sequence",
        average=average,
        shift=shift,
        ignore_index=ignore_index,
        accumulates=accumulation(accumulates),
        infinities=infinities,
        incoming=incoming and gradient,
        head=head,
    )


def accumulation(given: str | Format | Mapping[str, str | Format] | None) -> dict[str, Format]:
    """The format of the sums, by the name of the logits' format. Raises BadClaim."""
    try:
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return {get_format(name).name: get_format(value) for name, value in given.items()}
        wide = get_format(given)
        return {fmt.name: wide for fmt in FORMATS if fmt.precision < wide.precision}
    except UnknownFormat as error:
        raise BadClaim(f"accumulates: {error}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """Of a fused head: the weights that it was given, (V, H), and the derivatives in its hidden states, (B, L or T, H), and in
    its bias, (V,); None where there is none.
    """

    weight: Floats
    hidden: Floats | None
    bias: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class SequenceAnswer:
    """What came back: (B,) numbers or (B, T) of the tokens; the derivatives of their sum in every logit, (B, L or T, V).

    wrote: which inputs were changed in place. inner: what a fused head has besides.
    """

    values: Floats
    gradient: Floats | None
    dtype: str
    wrote: tuple[str, ...] = ()
    inner: Inner | None = None


class SequenceImplementation(Protocol):
    """The code that is judged, behind one interface."""

    @property
    def name(self) -> str:
        """How reports call it."""

    @property
    def claims(self) -> SequenceClaims:
        """What it says of itself."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What it runs on."""

    def unavailable(self) -> str | None:
        """Why it cannot run here; None if it can."""

    def surroundings(self) -> Mapping[str, str]:
        """A fingerprint of the framework's global state."""

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """The log-probabilities of a batch, and the derivatives of their sum in the logits. Raises Misbehaviour.

        incoming: of their sum with these factors instead, one for each number, where that is claimed.
        """


def given(rows: Rows, claims: SequenceClaims) -> tuple[Floats, Any, Any | None, dict[str, Any]]:
    """Logits, labels, mask (None where the labels tell it) and keywords, as the function takes them."""
    logits, labels, mask = (rows.logits, rows.labels, rows.mask) if claims.shift else rows.aligned
    keywords: dict[str, Any] = {}
    if "temperature" in claims.options:
        keywords["temperature"] = rows.temperature
    if "chunk" in claims.options and rows.chunk is not None:
        keywords["chunk_size"] = rows.chunk
    if claims.ignore_index is None:
        return logits, labels.copy(), mask.copy(), keywords
    marked = labels.copy()
    marked[~mask] = claims.ignore_index
    return logits, marked, None, keywords


def promised(rows: Rows, claims: SequenceClaims) -> tuple[int, ...]:
    """The shape of what is returned: one a sequence, or one a predicted token."""
    batch, length, _ = rows.shape
    return (batch,) if claims.returns == "sequence" else (batch, length - 1)
