"""The named errors of the oracle: each says which argument, what it was, and what is allowed."""

from __future__ import annotations


class OracleError(ValueError):
    """The base of every error that the oracle raises on bad input."""


class BadArgument(OracleError):
    """An argument has a value that no definition admits.

    Attributes: `argument` (its name), `value` (what it was), `allowed` (what it may be).
    """

    def __init__(self, argument: str, value: object, allowed: str) -> None:
        try:
            shown = repr(value)
        except ValueError:  # an integer of more than 4300 digits
            shown = f"<{type(value).__name__} too long to print>"
        shown = shown if len(shown) <= 120 else shown[:117] + "..."
        super().__init__(f"{argument} = {shown}: {allowed}")
        self.argument = argument
        self.value = value
        self.allowed = allowed


class NotANumber(BadArgument):
    """An argument is not a real number: a complex, a boolean, or text that is no decimal."""


class NotAnInteger(BadArgument):
    """An argument that counts (a precision, a number of digits or of pairs, a place, a bit pattern) is no integer."""


class NotBinary64(BadArgument):
    """An argument is a number, but not a binary64 number, and the function takes no other: it would be rounded unseen."""


class NotFinite(BadArgument):
    """An argument that has to be finite is NaN or infinite."""


class OutOfRange(BadArgument):
    """An argument is a number outside the range that its definition allows."""


class ShapeMismatch(OracleError):
    """The arguments' shapes do not broadcast to one shape."""


class UnknownFormat(BadArgument):
    """No binary format goes by that name."""


class NotRepresentable(OracleError):
    """A value is not exactly a number of the format, so it has no bit pattern there."""


class MixedKinds(OracleError):
    """A sum of losses and of derivatives was asked for: its rationality is not known to be decidable."""


class Undecided(OracleError):
    """A bound does not say which numbers of the format it accepts."""
