"""The console that every command prints on."""

from __future__ import annotations

from typing import NoReturn

import rich.console


class Console(rich.console.Console):
    """As rich's own; but a reader that goes away is the command's to tell: rich would end it with status 1, a verdict."""

    def on_broken_pipe(self) -> NoReturn:
        """Raises the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704 - rich calls this where it has caught it
