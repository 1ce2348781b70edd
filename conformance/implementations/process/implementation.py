"""A program behind the suite's interface: started, asked, and started again where it breaks off."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from conformance.errors import CannotLoad, Misbehaviour
from conformance.implementations.process import messages
from conformance.implementations.process.messages import Hello
from conformance.implementations.process.program import Heard, Program
from conformance.implementations.protocol import Answer, Claims
from conformance.inputs.batch import Batch
from oracle import Format
from oracle.formats import Floats

Asked = TypeVar("Asked")
MOST_FAILURES = 3
"""So often a program may end, hang or break the protocol; then it is not started again."""
LONGEST_WAIT = 60.0
"""Seconds for one answer at the most; half of what a clause may take where that is less, so that it is named in time."""
_IN_STEP = frozenset({"raised", "wrong shape", "wrong dtype", "wrong width", "no gradient"})
"""Kinds of misbehaviour after which question and answer still alternate: the program can be asked on."""


def start(command_line: str, *, time_limit: float, heard: Heard = lambda *_: None) -> ProcessImplementation:
    """The implementation that a command line starts; it is split as a POSIX shell splits it, and no shell runs it.

    Raises CannotLoad where the line cannot be split, and where the program cannot be started, does not answer the
    hello within half of time_limit seconds (60 at the most), or answers it with something else than a valid hello.
    heard: told of every line that goes to the program, and comes from it.
    """
    try:
        command = shlex.split(command_line)
    except ValueError as error:
        raise CannotLoad(f"process:{command_line}: {str(error).lower()}") from None
    if not command:
        raise CannotLoad("process: names no program; write for example 'process:./my_program --flag'")
    return ProcessImplementation(command, min(LONGEST_WAIT, time_limit / 2), heard)


class ProcessImplementation:
    """A program that speaks the process protocol. It runs from the first hello until `close`, or as long as this object."""

    def __init__(self, command: Sequence[str], limit: float, heard: Heard = lambda *_: None) -> None:
        self._command, self._heard = command, heard
        self._limit = limit
        self._asked = 0
        self._failures = 0
        self._program: Program | None = None
        try:
            self._hello = self._greeted()
        except Misbehaviour as error:
            raise CannotLoad(f"{shlex.join(command)}: {error.kind}: {error}") from None

    @property
    def name(self) -> str:
        """The name that the program gave itself."""
        return self._hello.name

    @property
    def claims(self) -> Claims:
        """What it claimed in its hello."""
        return self._hello.claims

    @property
    def environment(self) -> Mapping[str, str]:
        """The program's version, and what it says it runs on."""
        return {"version": self._hello.version, **self._hello.environment}

    def unavailable(self) -> str | None:
        """That it is not started any more, after it has broken off too often."""
        if self._failures >= MOST_FAILURES:
            return f"{MOST_FAILURES} times the program ended, hung or broke the protocol"
        return None

    def surroundings(self) -> dict[str, str]:
        """Nothing: what a program changes is its own."""
        return {}

    @property
    def hello(self) -> Hello:
        """What it said of itself."""
        return self._hello

    def evaluate(self, batch: Batch, fmt: Format, *, gradient: bool, strided: bool = False) -> Answer:
        """The program's answer. After one that ended it, or put question and answer out of step, it is started again."""
        wanted = gradient and self.claims.gradient
        return self.asked(
            lambda number: messages.evaluate(number, batch, fmt, gradient=wanted),
            lambda number, line: messages.read_answer(line, number, batch, fmt, self.claims, gradient=wanted),
            7 * len(batch),
            finite=_finite(batch.logps),
            told=f"{len(batch)} pairs, beta {batch.beta!r}, label_smoothing {batch.label_smoothing!r}",
        )

    def asked(
        self,
        request: Callable[[int], bytes],
        read: Callable[[int, bytes], Asked],
        numbers: int,
        *,
        finite: bool,
        told: str,
    ) -> Asked:
        """What `read` makes of the answer to a request, both told the request's number. Raises Misbehaviour.

        numbers: how many an answer may have; finite: whether all that is asked about is; told: what of the request goes into
        the message of what went wrong.
        """
        self._asked += 1
        try:
            program = self._running()
            program.check_silent()
            line = program.exchange(request(self._asked), self._limit, messages.longest_answer(numbers))
            answer = read(self._asked, line)
            program.check_silent()
            return answer
        except Misbehaviour as error:
            if error.kind not in _IN_STEP:
                # one that panics at an infinity does so each time: that is judged where infinities are, and ends nothing else
                self._failures += error.kind != "ended" or finite
                self._kill()
            raise Misbehaviour(error.kind, f"{error} (request {self._asked}: {told})") from None

    def metrics(self, batch: Batch, fmt: Format) -> Mapping[str, float]:
        """None: the protocol has no request for them."""
        raise Misbehaviour("wrong type", "a program has no metrics")

    @property
    def complaints(self) -> str:
        """What the program that runs now has written to standard error."""
        return "" if self._program is None else self._program.complaints

    def close(self) -> None:
        """Say goodbye and end the program, with whatever it has started."""
        if self._program is not None:
            self._program.close()
            self._program = None

    def _running(self) -> Program:
        """The program, started again where it was ended. Raises Misbehaviour where it cannot be, or claims otherwise."""
        if self._program is None:
            try:
                again = self._greeted()
            except (CannotLoad, Misbehaviour) as error:  # a refusal too: there is no program to go on with
                raise Misbehaviour("ended", f"it could not be started again: {error}") from None
            if replace(again, environment={}) != replace(self._hello, environment={}):
                raise Misbehaviour("another hello", "started again, the program named or claimed something else")
        assert self._program is not None
        return self._program

    def _greeted(self) -> Hello:
        """The hello of the program, newly started. Raises CannotLoad and Misbehaviour."""
        self._program = Program(self._command, self._heard)
        try:
            hello = messages.read_hello(self._program.exchange(messages.hello(), self._limit, messages.LONGEST_HELLO))
            self._program.check_silent()
        except Misbehaviour:
            self._kill()
            raise
        return hello

    def _kill(self) -> None:
        if self._program is not None:
            self._program.kill()
            self._program = None


def _finite(rows: Iterable[Floats]) -> bool:
    return all(bool(np.isfinite(values).all()) for values in rows)
