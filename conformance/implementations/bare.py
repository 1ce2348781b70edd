"""Importing one module of a package without running the packages around it."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from abc import ABCMeta
from collections.abc import Collection, Iterable
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType


def bare_import(name: str, *, unused: Collection[str] = ()) -> ModuleType:
    """The module `package.sub.module`, run from the file that the library ships, while its packages' own `__init__`
    are left out.

    For a library whose loss needs torch alone and whose package imports what only a GPU machine has. unused: modules
    that it imports and the loss does not use, those below them included. During the import an empty one stands in for each
    that is not installed, or that is the library's own; it gives an empty class for every name.

    Raises ModuleNotFoundError, with the missing module's name, where the package or something else that the module
    imports is missing.
    """
    *packages, _ = name.split(".")
    for depth in range(1, len(packages) + 1):
        _enter_package(".".join(packages[:depth]))
    absent = _StandIns(other for other in unused if other.partition(".")[0] == packages[0] or _is_absent(other))
    sys.meta_path.insert(0, absent)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(absent)
        for other in absent.made:
            sys.modules.pop(other, None)
            _forget(other)


def _is_absent(name: str) -> bool:
    return name not in sys.modules and importlib.util.find_spec(name) is None


def _forget(name: str) -> None:
    """Take the stand-in off the package that it was set on when it was imported."""
    package, _, last = name.rpartition(".")
    vars(sys.modules.get(package, ModuleType(""))).pop(last, None)


def _any_name(name: str) -> type:
    """An empty class of that name, as an empty module or class gives it. Raises AttributeError for Python's own names."""
    if name.startswith("__"):
        raise AttributeError(name)
    whole = classmethod(lambda cls, *_, **__: cls)
    takes = {"__init__": lambda self, *_, **__: None, "__call__": lambda self, *_, **__: self}
    return _Empty(name, (), {**takes, "__init_subclass__": whole, "__class_getitem__": whole})


class _Empty(ABCMeta):
    """The class of empty classes: they have every attribute, and can be called, subscripted and derived from with anything."""

    def __getattr__(cls, name: str) -> type:
        return _any_name(name)


class _StandIns(MetaPathFinder, Loader):
    """Finds and makes the empty modules; `made` has the names of those that were asked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self.made: list[str] = []

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """One for each of the names and for what is below them."""
        del path, target
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in self._names):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty module that gives an empty class for every name."""
        module = ModuleType(spec.name)
        vars(module)["__getattr__"] = _any_name
        self.made.append(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is run."""


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
