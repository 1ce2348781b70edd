"""A program in any language, judged over its standard input and output: `process:` and a command line."""

from __future__ import annotations

from conformance.errors import CannotLoad
from conformance.implementations.process.implementation import ProcessImplementation, start
from conformance.implementations.process.losses import ProgramLoss, loss_of
from conformance.implementations.process.sequences import ProgramSequence
from conformance.implementations.sequence.protocol import SequenceClaims

__all__ = ["ProcessImplementation", "ProgramLoss", "ProgramSequence", "claimed_of", "start"]
Claimed = ProcessImplementation | ProgramLoss | ProgramSequence


def claimed_of(program: ProcessImplementation, loss: str) -> Claimed:
    """The program as what its hello says: of DPO's loss, of a named one, or of log-probabilities. Raises CannotLoad, and ends
    the program, as `loss_of` does, and where a loss is asked for of what has none.
    """
    claimed = program.hello.claims
    if not isinstance(claimed, SequenceClaims):
        return loss_of(program, loss)
    if loss:
        program.close()
        raise CannotLoad(f"{program.name}: it computes log-probabilities, and no loss {loss}")
    return ProgramSequence(program, claimed)
