"""The named errors of the suite: each says what is wrong and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConformanceError(Exception):
    """The base of every error that the suite raises."""


class UnknownImplementation(ConformanceError):
    """No implementation ships under that name, and it is no `module:attribute`, `file.py:attribute` or `process:command`."""


class CannotLoad(ConformanceError):
    """The implementation's module could not be imported or has no such attribute, or its program could not be started."""


class BadClaim(ConformanceError, ValueError):
    """A keyword of an implementation claims what does not exist: a dtype, a reduction, an option, a device."""


class BadRequirements(ConformanceError, ValueError):
    """The inline script metadata (PEP 723) of a wrapper's file is malformed; names the file and what is wrong."""


class CannotInstall(ConformanceError):
    """An environment for an implementation could not be made: no tool to make it, no requirements, or an install failed."""


class CannotShow(ConformanceError):
    """An implementation was judged in no format, or the snippet that shows its defects by its library alone failed."""


class BadRequest(ConformanceError, ValueError):
    """A run was asked for that does not exist: a profile, a clause, a seed."""


class Misbehaviour(ConformanceError):
    """The implementation answered with something that is not per-pair losses or derivatives.

    `kind` names it: raised, wrong type, wrong shape, wrong dtype, wrong device; of a program besides: ended, hung,
    garbled, out of order, unasked, wrong width, no gradient, another protocol, another hello.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Unfinished(BaseException):  # no check may take it for a fault of what it judges
    """A clause was not finished within the time limit, though each call of the implementation was answered."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The words of an error, with a space after them, that name what is near to a name that does not exist; or nothing."""
    near = difflib.get_close_matches(name, list(known))
    return f"did you mean {' or '.join(near)}? " if near else ""
