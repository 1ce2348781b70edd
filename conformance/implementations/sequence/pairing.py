"""Whose completion is put beside each prompt, for the KL term of KTO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.errors import Misbehaviour
from conformance.implementations.decorating import decorator
from conformance.implementations.protocol import Claims
from conformance.implementations.results import called
from conformance.implementations.sequence.plain import Plain

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PairingClaims(Claims):
    """What it says of itself: nothing, in no format of its own."""

    @property
    def kind(self) -> str:
        """A choice of completions."""
        return "pairing"

    @property
    def claimed(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def plain(self) -> dict[str, object]:
        """The claims as JSON's own types."""
        return {"kind": self.kind, "formats": [fmt.name for fmt in self.formats], "notes": dict(self.notes)}


class Pairing(Plain):
    """A function of prompts and completions behind the suite's interface."""

    def __init__(self, function: Callable[..., Any], name: str, claimed: PairingClaims, library: str | None) -> None:
        super().__init__(function, name, library)
        self.claims = claimed

    def evaluate(self, prompts: Sequence[Tokens], completions: Sequence[Tokens]) -> list[Tokens]:
        """A completion for each prompt, as token ids. Raises Misbehaviour."""
        found = called(self._function, [list(row) for row in prompts], [list(row) for row in completions])
        try:
            return [tuple(int(token) for token in row) for row in found]
        except (TypeError, ValueError) as error:
            raise Misbehaviour("wrong type", f"a list of token ids for each prompt was promised: {error}") from None


@decorator
def kl_pairing(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    library: str | None = None,
    notes: Mapping[str, str] | None = None,
) -> Pairing:
    """A function that chooses the completions of KTO's KL term becomes an implementation.

    function(prompts, completions): of a batch of n examples the prompts and the completions, each a list of n lists of token
    ids; it returns n lists, in the order of the prompts: the completion of another example for each. It is judged in no
    format: a run says the same in all of them.
    """
    claimed = PairingClaims(options=frozenset(), gradient=False, notes=notes or {})
    return Pairing(function, name or str(getattr(function, "__name__", "function")), claimed, library)
