"""What a hello claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.protocol import OPTIONS, Claims, claims
from conformance.implementations.sequence.protocol import SequenceClaims, sequence_claims

SEQUENCE = ("returns", "average", "shift", "ignore_index", "accumulates", "infinities")
"""The keys of a hello that only a program of log-probabilities from logits has."""


def of_losses(data: Mapping[str, Any]) -> Claims:
    """The claims of a program of losses: of DPO's, or for each of those that it names."""
    return claims(
        dtypes=data["dtypes"],
        reduction=data["reduction"],
        options=OPTIONS if data.get("losses") else data["options"],
        subnormals=data.get("subnormals"),
        gradient=data["gradient"],
        metrics=False,
        accumulation=data.get("accumulation"),
    )


def of_sequences(data: Mapping[str, Any]) -> SequenceClaims:
    """The claims of a program of log-probabilities. Raises Misbehaviour, garbled, where they contradict each other."""
    named = {key: data[key] for key in SEQUENCE if key in data}
    try:
        return sequence_claims(
            dtypes=data["dtypes"],
            options=data["options"],
            subnormals=data.get("subnormals"),
            gradient=data["gradient"],
            **named,
        )
    except BadClaim as error:
        raise Misbehaviour("garbled", f"its hello: {error}") from None
