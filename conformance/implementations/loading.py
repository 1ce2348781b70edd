"""From a name to an implementation.

One that ships, one that a distribution adds, `package.module:attribute`, `path/to/file.py:attribute`, or `process:command`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from conformance.errors import CannotLoad, UnknownImplementation
from conformance.implementations.plugged import plugged
from conformance.implementations.protocol import Implementation

if TYPE_CHECKING:
    from conformance.implementations.process import ProcessImplementation

SHIPPED = {
    "numpy": ("conformance.implementations.numpy:STABLE", "NumPy, stable, with gradient"),
    "numpy-naive": ("conformance.implementations.numpy:NAIVE", "NumPy, log of sigmoid: must fail"),
    "torch": ("conformance.implementations.torch:CPU", "PyTorch on the CPU, F.logsigmoid"),
    "torch-compile": ("conformance.implementations.torch:COMPILED", "the same under torch.compile"),
    "torch-cuda": ("conformance.implementations.torch:CUDA", "the same on a CUDA device"),
    "torch-naive": ("conformance.implementations.torch:NAIVE", "PyTorch, log of sigmoid: must fail"),
}
"""Each shipped name, where it lives, and what it is. Nothing is imported until it is asked for."""
PROCESS = "process:"
"""Before the command line of a program that speaks the process protocol."""


def load(name: str, *, time_limit: float = 120.0) -> Implementation:
    """The implementation of that name. A program that it names is started; it may take half of
    time_limit seconds, and 60 at the most, for an answer.

    Raises UnknownImplementation for a name of no known form, CannotLoad if its module cannot be imported, has no such
    attribute, or the attribute is no implementation, and if the program cannot be started or gives no valid hello.
    """
    if name.startswith(PROCESS):
        from conformance.implementations.process import start  # noqa: PLC0415 - only where a program is judged

        return start(name.removeprefix(PROCESS), time_limit=time_limit)
    target = _target(name)
    module_name, colon, attribute = target.rpartition(":")
    if not colon or not module_name or not attribute:
        shipped = ", ".join([*SHIPPED, *plugged()])
        raise UnknownImplementation(
            f"no implementation {name!r}: one of {shipped}, or package.module:attribute, or path/to/file.py:attribute, "
            "or 'process:command line of a program'"
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
            "wrap it with numpy_implementation, torch_implementation or array_implementation from conformance.implementations"
        )
    return cast("Implementation", found)


@contextlib.contextmanager
def loaded(name: str, *, time_limit: float = 120.0) -> Iterator[Implementation]:
    """`load`, and a program that it has started is ended with the block. Raises what `load` raises."""
    implementation = load(name, time_limit=time_limit)
    try:
        yield implementation
    finally:
        if name.startswith(PROCESS):
            cast("ProcessImplementation", implementation).close()


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
    folder = str(path.resolve().parent)
    if folder not in sys.path:  # what lies beside it can be imported, and shadows nothing: the last place to look in
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[unique]
        raise CannotLoad(f"{path}: importing it raised {type(error).__name__}: {error}") from error
    return module
