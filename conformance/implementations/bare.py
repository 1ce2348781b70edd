"""Importing one module of a package without running the packages around it."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Collection
from types import ModuleType


def bare_import(name: str, *, unused: Collection[str] = ()) -> ModuleType:
    """The module `package.sub.module`, run from the file that the library ships, while its packages' own `__init__`
    are left out.

    For a library whose loss needs torch alone and whose package imports what only a GPU machine has. unused: modules
    that it imports and the loss does not use; where one is not installed, an empty one stands in during the import.

    Raises ModuleNotFoundError, with the missing module's name, where the package or something else that the module
    imports is missing.
    """
    *packages, _ = name.split(".")
    for depth in range(1, len(packages) + 1):
        _enter_package(".".join(packages[:depth]))
    absent = [other for other in unused if other not in sys.modules and importlib.util.find_spec(other) is None]
    sys.modules.update({other: ModuleType(other) for other in absent})
    try:
        return importlib.import_module(name)
    finally:
        for other in absent:
            del sys.modules[other]


def _enter_package(name: str) -> None:
    """Into sys.modules, as an empty package that finds its submodules."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    empty = importlib.machinery.ModuleSpec(name, None, is_package=True)
    empty.submodule_search_locations = list(spec.submodule_search_locations)
    sys.modules[name] = importlib.util.module_from_spec(empty)
