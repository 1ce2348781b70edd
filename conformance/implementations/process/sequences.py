"""A program that computes log-probabilities of sequences from token logits, over the same streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.implementations.process import messages
from conformance.implementations.process.implementation import ProcessImplementation
from conformance.implementations.sequence.protocol import SequenceAnswer, SequenceClaims, given, promised
from conformance.inputs.sequences import Labels, Mask, Rows
from oracle import Format
from oracle.formats import Floats


class ProgramSequence:
    """A program whose hello says that it is a sequence."""

    def __init__(self, program: ProcessImplementation, claimed: SequenceClaims) -> None:
        self.claims = claimed
        self._program = program

    @property
    def name(self) -> str:
        """The name that the program gave itself."""
        return self._program.name

    @property
    def environment(self) -> Mapping[str, str]:
        """The program's version, and what it says it runs on."""
        return self._program.environment

    def unavailable(self) -> str | None:
        """That it is not started any more, after it has broken off too often."""
        return self._program.unavailable()

    def surroundings(self) -> Mapping[str, str]:
        """Nothing: what a program changes is its own."""
        return self._program.surroundings()

    @property
    def complaints(self) -> str:
        """What the program that runs now has written to standard error."""
        return self._program.complaints

    def close(self) -> None:
        """Say goodbye and end the program, with whatever it has started."""
        self._program.close()

    def evaluate(
        self, rows: Rows, fmt: Format, *, gradient: bool = False, strided: bool = False, incoming: Floats | None = None
    ) -> SequenceAnswer:
        """The program's log-probabilities, and the derivatives of their sum. Raises Misbehaviour."""
        logits, labels, mask, keywords = given(rows, self.claims)
        wanted, shape = gradient and self.claims.gradient, promised(rows, self.claims)

        def read(number: int, line: bytes) -> SequenceAnswer:
            values, slopes, dtype = messages.read_logps(line, number, fmt, shape, logits.shape if wanted else None)
            return SequenceAnswer(values, slopes, dtype)

        return self._program.asked(
            lambda number: request(number, (logits, labels, mask), keywords, fmt, gradient=wanted),
            read,
            logits.size + labels.size,
            finite=bool(np.isfinite(logits).all()),
            told=rows.described(),
        )


def request(
    number: int, arrays: tuple[Floats, Labels, Mask | None], keywords: Mapping[str, Any], fmt: Format, *, gradient: bool
) -> bytes:
    """The request for a batch: the logits' patterns, labels as 64-bit integers, a digit for each place of a mask."""
    logits, labels, mask = arrays
    sequences, places, columns = logits.shape
    asked: dict[str, Any] = {"type": "evaluate", "id": number, "kind": "sequence", "dtype": fmt.name}
    asked |= {"sequences": sequences, "places": places, "columns": columns}
    if "temperature" in keywords:
        asked |= messages.number_of("temperature", keywords["temperature"])
    if "chunk_size" in keywords:
        asked["chunk_size"] = int(keywords["chunk_size"])
    asked |= {"want_gradient": gradient, "logits": messages.to_hex(logits, fmt), "labels": messages.counts(labels)}
    if mask is not None:
        asked["mask"] = (mask.astype(np.uint8) + ord("0")).astype(np.uint8).tobytes().decode()
    return messages.as_line(asked)
