"""The losses by name, found by scanning the package."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache

from oracle.errors import BadArgument
from oracle.losses._model import Loss


class UnknownLoss(BadArgument):
    """No loss is defined by that name."""


@cache
def _found() -> dict[str, Loss]:
    package = importlib.import_module("oracle.losses")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_"))
    losses: dict[str, Loss] = {}
    for name in names:
        loss = importlib.import_module(f"oracle.losses.{name}").LOSS
        if loss.name != name:
            raise TypeError(f"oracle/losses/{name}.py defines the loss {loss.name}: a loss has its file's name")
        losses[name] = loss
    return losses


class _Losses(Mapping[str, Loss]):
    """Name to loss, in alphabetical order, read when it is first asked for."""

    def __getitem__(self, name: str) -> Loss:
        return _found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_found())

    def __len__(self) -> int:
        return len(_found())

    def __repr__(self) -> str:
        return f"<{len(self)} losses: {', '.join(self)}>"


LOSSES: Mapping[str, Loss] = _Losses()


def get_loss(loss: str | Loss) -> Loss:
    """The loss of that name; a Loss as it is. Raises UnknownLoss, with what is near and how libraries call it."""
    if isinstance(loss, Loss):
        return loss
    if loss in LOSSES:
        return LOSSES[loss]
    called: dict[str, list[str]] = {}
    for known in LOSSES.values():
        for library, name in known.aliases.items():
            if str(loss) in name:
                called.setdefault(known.name, []).append(library)
    meant = ", ".join(f"{known} ({', '.join(libraries)})" for known, libraries in called.items())
    near = difflib.get_close_matches(str(loss), LOSSES)
    hint = f"what some libraries call {meant}; " if called else f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownLoss("loss", loss, f"{hint}one of {', '.join(LOSSES)}")
