"""From a name to an implementation: shipped, added by a distribution, `package.module:attribute`, `path/file.py:attribute`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

from conformance.errors import CannotLoad, UnknownImplementation
from conformance.implementations.plugged import plugged
from conformance.implementations.protocol import Implementation

SHIPPED = {
    "numpy": ("conformance.implementations.numpy:STABLE", "NumPy, stable, with gradient"),
    "numpy-naive": ("conformance.implementations.numpy:NAIVE", "NumPy, log of sigmoid: must fail"),
    "torch": ("conformance.implementations.torch:CPU", "PyTorch on the CPU, F.logsigmoid"),
    "torch-compile": ("conformance.implementations.torch:COMPILED", "the same under torch.compile"),
    "torch-cuda": ("conformance.implementations.torch:CUDA", "the same on a CUDA device"),
    "torch-naive": ("conformance.implementations.torch:NAIVE", "PyTorch, log of sigmoid: must fail"),
}
"""Each shipped name, where it lives, and what it is. Nothing is imported until it is asked for."""


def load(name: str) -> Implementation:
    """The implementation of that name.

    Raises UnknownImplementation for a name of no known form, CannotLoad if its module cannot be imported, has no such
    attribute, or the attribute is no implementation.
    """
    target = _target(name)
    module_name, colon, attribute = target.rpartition(":")
    if not colon or not module_name or not attribute:
        shipped = ", ".join([*SHIPPED, *plugged()])
        raise UnknownImplementation(
            f"no implementation {name!r}: one of {shipped}, or package.module:attribute, or path/to/file.py:attribute"
        )
    module = _import_file(Path(module_name)) if module_name.endswith(".py") else _import_module(name, module_name)
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise CannotLoad(f"{name}: {module_name} has no attribute {attribute!r}")
        found = getattr(found, part)
    if not (hasattr(found, "claims") and callable(getattr(found, "evaluate", None))):
        raise CannotLoad(
            f"{name}: {attribute} is a {type(found).__name__}, not an implementation; "
            "wrap it with numpy_implementation or torch_implementation from conformance.implementations"
        )
    return cast("Implementation", found)


def _target(name: str) -> str:
    """Where that name lives: what has a colon says so itself."""
    if name in SHIPPED:
        return SHIPPED[name][0]
    return name if ":" in name else plugged().get(name, (name, ""))[0]


def _import_module(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        hint = f"pip install 'dpo-conformance[{missing}]'" if name in SHIPPED else f"is {missing} installed here?"
        raise CannotLoad(f"{name}: no module named {missing!r}; {hint}") from error
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"{name}: importing {module_name} raised {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CannotLoad(f"{path}: no such file")
    unique = f"_dpo_conformance_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise CannotLoad(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[unique]
        raise CannotLoad(f"{path}: importing it raised {type(error).__name__}: {error}") from error
    return module
