"""A program that computes losses by name: each of them an implementation of that loss, over the same streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conformance.errors import BadClaim, BadRequest, CannotLoad
from conformance.implementations.preference import LossAnswer, LossClaims, PreferenceLoss, is_length, loss_claims
from conformance.implementations.process import messages
from conformance.implementations.process.implementation import ProcessImplementation
from conformance.implementations.process.messages import Hello
from conformance.inputs.losses import LossBatch
from oracle import Format
from oracle.formats import Floats
from oracle.losses import LOSSES, Loss


class ProgramLoss(PreferenceLoss):
    """One loss of a program."""

    def __init__(self, program: ProcessImplementation, loss: str) -> None:
        label = program.name if len(program.hello.losses) == 1 else f"{program.name}@{loss}"
        super().__init__(_nothing, label, _claims(program.hello, loss), _Streams(program), {})
        self._program = program

    @property
    def complaints(self) -> str:
        """What the program that runs now has written to standard error."""
        return self._program.complaints

    def close(self) -> None:
        """Say goodbye and end the program, with whatever it has started."""
        self._program.close()


def loss_of(program: ProcessImplementation, loss: str) -> ProcessImplementation | ProgramLoss:
    """The program as an implementation of that loss, of its only one where none is asked for, or of DPO's where it claims
    none by name. Raises CannotLoad, and ends the program, where it does not claim the loss, claims several and none is asked
    for, or claims what does not exist.
    """
    claimed = program.hello.losses
    try:
        for name in claimed:
            _claims(program.hello, name)
        strange = set(program.hello.parameters) - {option for name in claimed for option in LOSSES[name].defaults}
        if strange:
            raise BadClaim(f"options = {sorted(strange)}: parameters of none of {', '.join(claimed)}")
        if loss and loss not in claimed:
            raise BadRequest(f"it claims {', '.join(claimed) or 'no loss by name'}, not {loss}")
        if not loss and len(claimed) > 1:
            raise BadRequest(f"it claims {', '.join(claimed)}: say which by --loss")
    except (BadClaim, BadRequest) as error:
        program.close()
        raise CannotLoad(f"{program.name}: {error}") from None
    return ProgramLoss(program, loss or claimed[0]) if claimed else program


def _claims(hello: Hello, loss: str) -> LossClaims:
    """What the program claims of one loss: of its options, those that this one has. Raises BadClaim."""
    own = LOSSES[loss].defaults if loss in LOSSES else {}
    return loss_claims(loss, hello.claims, [name for name in hello.parameters if name in own])


class _Streams:
    """The program as what turns a batch into numbers."""

    weighs, compiles_each_size = False, False

    def __init__(self, program: ProcessImplementation) -> None:
        self._program = program

    @property
    def environment(self) -> Mapping[str, str]:
        return self._program.environment

    def unavailable(self) -> str | None:
        return self._program.unavailable()

    def surroundings(self) -> Mapping[str, str]:
        return self._program.surroundings()

    def evaluate(
        self,
        function: Callable[..., Any],
        batch: LossBatch,
        fmt: Format,
        loss: Loss,
        claims: LossClaims,
        *,
        gradient: bool,
        weights: Floats | None = None,
    ) -> LossAnswer:
        del function, weights
        n, names = len(batch), loss.logps if gradient else ()
        shape = () if claims.reduction == "mean" else (n,)

        def read(number: int, line: bytes) -> LossAnswer:
            losses, parts, dtype = messages.read_numbers(line, number, n, fmt, shape, names, whole=loss.has_batch_state)
            return LossAnswer(losses, parts if gradient else None, dtype)

        return self._program.asked(
            lambda number: request(number, loss, batch, fmt, gradient=gradient),
            read,
            7 * n,
            finite=all(bool(np.isfinite(row).all()) for row in batch.rows.values()),
            told=", ".join([f"{n} pairs", loss.name, *(f"{name} {x!r}" for name, x in batch.parameters.items())]),
        )


def request(number: int, loss: Loss, batch: LossBatch, fmt: Format, *, gradient: bool) -> bytes:
    """The request for a loss of a batch: its parameters as numbers, lengths as 64-bit integers, the rest in the format."""
    asked: dict[str, Any] = {"type": "evaluate", "id": number, "loss": loss.name, "dtype": fmt.name, "pairs": len(batch)}
    for name, x in batch.parameters.items():
        asked |= messages.number_of(name, x)
    asked["want_gradient"] = gradient
    for name in loss.inputs:
        asked[name] = messages.counts(batch.rows[name]) if is_length(name) else messages.to_hex(batch.rows[name], fmt)
    return messages.as_line(asked)


def _nothing() -> None:
    """A program has no function to be called."""
