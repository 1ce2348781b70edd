"""From a name to an implementation.

One that ships, one that a distribution adds, `package.module:attribute`, `path/to/file.py:attribute`, or `process:command`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

from conformance.errors import BadRequest, CannotLoad, UnknownImplementation, did_you_mean
from conformance.implementations.plugged import plugged
from conformance.implementations.protocol import Implementation

if TYPE_CHECKING:
    from conformance.implementations.preference import PreferenceLosses
    from conformance.implementations.process import Claimed
    from conformance.implementations.requirements import Requirements

SHIPPED = {
    "numpy": ("conformance.implementations.numpy:STABLE", "NumPy, stable, with gradient"),
    "numpy-naive": ("conformance.implementations.numpy:NAIVE", "NumPy, log of sigmoid: must fail"),
    "torch": ("conformance.implementations.torch_spellings:CPU", "PyTorch on the CPU, F.logsigmoid"),
    "torch-compile": ("conformance.implementations.torch_spellings:COMPILED", "the same under torch.compile"),
    "torch-cuda": ("conformance.implementations.torch_spellings:CUDA", "the same on a CUDA device"),
    "torch-naive": ("conformance.implementations.torch_spellings:NAIVE", "PyTorch, log of sigmoid: must fail"),
    "torch-softplus": ("conformance.implementations.torch_spellings:SOFTPLUS", "PyTorch, F.softplus"),
    "torch-softplus-compile": ("conformance.implementations.torch_spellings:SOFTPLUS_COMPILED", "the same compiled"),
    "torch-bce": ("conformance.implementations.torch_spellings:BCE", "PyTorch, F.binary_cross_entropy_with_logits"),
    "torch-bce-compile": ("conformance.implementations.torch_spellings:BCE_COMPILED", "the same compiled"),
    "torch-logaddexp": ("conformance.implementations.torch_spellings:LOGADDEXP", "PyTorch, torch.logaddexp"),
    "torch-logaddexp-compile": ("conformance.implementations.torch_spellings:LOGADDEXP_COMPILED", "the same compiled"),
    "reference-numpy": ("conformance.implementations.reference.numpy:LOSS", "oracle.reference.numpy: the loss to take"),
    "reference-torch": ("conformance.implementations.reference.torch:LOSS", "oracle.reference.torch: the loss to take"),
    "reference-jax": ("conformance.implementations.reference.jax:LOSS", "oracle.reference.jax: the loss to take"),
    "scipy": ("conformance.implementations.scipy:LOG_EXPIT", "SciPy, log_expit and expit"),
    "jax": ("conformance.implementations.jax:EAGER", "JAX, jax.nn.log_sigmoid and jax.grad"),
    "jax-jit": ("conformance.implementations.jax:JITTED", "the same under jax.jit"),
    "trl": ("conformance.implementations.trl:DPO", "TRL's DPOTrainer.compute_loss"),
    "trl-0.24": ("conformance.implementations.trl_dpo_loss:DPO", "TRL 0.24's DPOTrainer.dpo_loss"),
    "torchtune": ("conformance.implementations.torchtune:DPO", "torchtune's DPOLoss"),
    "liger": ("conformance.implementations.liger:DPO", "Liger-Kernel's preference_loss_fn"),
    "openrlhf": ("conformance.implementations.openrlhf:DPO", "OpenRLHF's DPOLoss"),
    "ms-swift": ("conformance.implementations.swift:DPO", "ms-swift's DPOTrainer.dpo_loss"),
    "oat": ("conformance.implementations.oat:DPO", "oat's DPOLoss"),
    "tunix": ("conformance.implementations.tunix:DPO", "tunix's dpo_loss_fn"),
    "easydel": ("conformance.implementations.easydel:DPO", "EasyDeL's loss function for its DPO trainer"),
    "llamafactory": ("conformance.implementations.llamafactory:LOSSES", "LLaMA-Factory's losses, each as llamafactory@LOSS"),
    "mlx-lm-lora": ("conformance.implementations.mlx_lm_lora:LOSSES", "mlx-lm-lora's losses, as mlx-lm-lora@LOSS"),
    "mlx-tune": ("conformance.implementations.mlx_tune:LOSSES", "mlx-tune's losses, as mlx-tune@LOSS"),
    "mlx-vlm": ("conformance.implementations.mlx_vlm:LOSSES", "mlx-vlm's objectives, as mlx-vlm@LOSS"),
    "nemo-aligner": ("conformance.implementations.nemo_aligner:LOSSES", "NeMo-Aligner's losses, as nemo-aligner@LOSS"),
    "nemo-rl": ("conformance.implementations.nemo_rl:LOSSES", "NeMo-RL's DPOLossFn, as nemo-rl@LOSS"),
    "open-instruct": ("conformance.implementations.open_instruct:LOSSES", "open-instruct's losses, as open-instruct@LOSS"),
    "paddleformers": ("conformance.implementations.paddleformers:LOSSES", "PaddleFormers' losses, as paddleformers@LOSS"),
    "unsloth-mlx": ("conformance.implementations.unsloth_mlx:LOSSES", "unsloth-zoo's losses on MLX, as unsloth-mlx@LOSS"),
    "opake": ("conformance.implementations.opake:LOSSES", "the losses of opake's DPOTrainer, as opake@LOSS"),
    "xtuner": ("conformance.implementations.xtuner:LOSSES", "xtuner's losses, as xtuner@LOSS"),
}
"""Each shipped name, where it lives, and what it is. Nothing is imported until it is asked for."""
Heard = Callable[[str, bytes], None]
T = TypeVar("T")
LOSSES = "LOSSES"
"""What the module of a shipped name calls the losses of its library beside DPO's."""
PROCESS = "process:"
"""Before the command line of a program that speaks the process protocol."""


def load(name: str, *, time_limit: float = 120.0, heard: Heard = lambda *_: None) -> Implementation:
    """The implementation of that name. A program that it names is started; it may take half of
    time_limit seconds, and 60 at the most, for an answer; heard: told of every line to it and from it.

    Raises UnknownImplementation for a name of no known form, CannotLoad if its module cannot be imported, has no such
    attribute, or the attribute is no implementation, and if the program cannot be started or gives no valid hello.
    """
    if name.startswith(PROCESS):
        from conformance.implementations.process import claimed_of, start  # noqa: PLC0415 - only where a program is judged

        command, asked = split_loss(name.removeprefix(PROCESS))
        return cast("Implementation", claimed_of(start(command, time_limit=time_limit, heard=heard), asked))
    if _is_file(name):
        raise CannotLoad(_held(name))
    loss = split_loss(name)[1]
    module_name, attribute = _place(name)
    module = _import_file(Path(module_name)) if module_name.endswith(".py") else _import_module(name, module_name)
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            held = f"; {_held(module_name)}" if found is module and module_name.endswith(".py") else ""
            raise CannotLoad(f"{name}: {module_name} has no attribute {attribute!r}{held}")
        found = getattr(found, part)
    if loss or hasattr(found, "losses"):
        found = _of_loss(name, attribute, found, loss)
    if not _is_implementation(found):
        raise CannotLoad(
            f"{name}: {attribute} is a {type(found).__name__}, not an implementation; "
            "wrap it with numpy_implementation, or torch_, jax_ or array_implementation, from conformance.implementations"
        )
    return cast("Implementation", found)


def named(name: str) -> list[tuple[str, PreferenceLosses]]:
    """The losses beside DPO's that a shipped name's library has, and those that it has in other settings, each with what the
    module calls it. Raises UnknownImplementation, and CannotLoad where it has none or is not installed.
    """
    if name not in SHIPPED:
        raise UnknownImplementation(f"no implementation {name!r} ships: one of {', '.join(SHIPPED)}")
    module_name = _target(name).rpartition(":")[0]
    module = vars(_import_module(name, module_name))
    if LOSSES not in module:
        raise CannotLoad(f"{name}: its wrapper has DPO's loss alone")
    from conformance.implementations.preference import PreferenceLosses  # noqa: PLC0415 - where a survey asks for them

    return [(key, found) for key, found in module.items() if isinstance(found, PreferenceLosses)]


def split_loss(name: str) -> tuple[str, str]:
    """(implementation, loss): what stands before and after the last @, where a loss of that name exists; else no loss."""
    if "@" not in name:
        return name, ""
    from oracle.losses import LOSSES  # noqa: PLC0415 - all of them, where a name asks for one

    before, at, after = name.rpartition("@")
    return (before, after) if at and after in LOSSES else (name, "")


def _of_loss(name: str, attribute: str, found: object, loss: str) -> object:
    """Of an implementation of several losses, the one that was asked for. Raises CannotLoad."""
    if not loss:
        several = ", ".join(getattr(found, "losses", ()))
        raise CannotLoad(f"{name}: {attribute} has the losses {several}: say which by --loss, or write {name}@LOSS")
    chosen = getattr(found, "as_loss", None)
    if chosen is None:
        raise CannotLoad(f"{name}: {attribute} claims no loss of that name; wrap it with loss={loss!r}")
    try:
        return chosen(loss)
    except BadRequest as error:
        raise CannotLoad(f"{name}: {error}") from None


@contextlib.contextmanager
def loaded(name: str, *, time_limit: float = 120.0, heard: Heard = lambda *_: None) -> Iterator[Implementation]:
    """`load`, and a program that it has started is ended with the block. Raises what `load` raises."""
    implementation = load(name, time_limit=time_limit, heard=heard)
    try:
        yield implementation
    finally:
        if name.startswith(PROCESS):
            cast("Claimed", implementation).close()


def at_hand(implementation: T | str, *, time_limit: float = 120.0) -> AbstractContextManager[T]:
    """An implementation as it is, or for the time of the block the one of that name. Raises what `load` raises."""
    if isinstance(implementation, str):
        return cast("AbstractContextManager[T]", loaded(implementation, time_limit=time_limit))
    return contextlib.nullcontext(implementation)


def _target(name: str) -> str:
    """Where that name lives: what has a colon says so itself."""
    if name in SHIPPED:
        return SHIPPED[name][0]
    return name if ":" in name else plugged().get(name, (name, ""))[0]


def _place(name: str) -> tuple[str, str]:
    """The module, or the path of the file, and the attribute. Raises UnknownImplementation."""
    whole, loss = split_loss(name)
    module_name, _, attribute = _target(whole).rpartition(":")
    if whole in SHIPPED and loss:
        attribute = LOSSES
    if not module_name or not attribute:
        shipped = [*SHIPPED, *plugged()]
        lies = _lying_here(whole)
        meant = f"did you mean {lies}? " if lies else did_you_mean(whole, shipped)
        raise UnknownImplementation(
            f"no implementation {name!r}: {meant}one of {', '.join(shipped)}, or package.module:attribute, "
            "or path/to/file.py:attribute, or 'process:command line of a program'"
        )
    return module_name, attribute


def _lying_here(name: str) -> str:
    """How a file or a module in the current folder is named, where the name is that of one without its ending or its colon."""
    module, _, attribute = name.rpartition(".")
    place = Path(*module.split("."))
    if module and (place.is_dir() or place.with_suffix(".py").is_file()):
        return f"{module}:{attribute}"
    return f"{name}.py" if name and Path(f"{name}.py").is_file() else ""


def _is_file(name: str) -> bool:
    """True for the path of a Python file without an attribute."""
    path = name.removesuffix(":")
    return path.endswith(".py") and name not in SHIPPED


def _held(name: str) -> str:
    """What a file holds that can be judged, and what could be, once it is wrapped."""
    path = name.removesuffix(":")
    module = _import_file(Path(path))
    found = {key: value for key, value in vars(module).items() if not key.startswith("_")}
    ready = [key for key, value in found.items() if _is_implementation(value) or hasattr(value, "as_loss")]
    own = [key for key, value in found.items() if getattr(value, "__module__", "") == module.__name__]
    if ready:
        return f"{path} holds {', '.join(ready)}: name one, as {path}:{ready[0]}"
    wrap = f"wrap one with numpy_implementation, or torch_, jax_ or array_implementation; it defines {', '.join(own)}"
    return f"{path} holds no implementation: {wrap if own else 'it defines nothing'}"


def _is_implementation(found: object) -> bool:
    return hasattr(found, "claims") and callable(getattr(found, "evaluate", None))


def _import_module(name: str, module_name: str) -> ModuleType:
    top = module_name.partition(".")[0]
    here = str(Path.cwd())
    if here not in sys.path and (Path(here, top).is_dir() or Path(here, f"{top}.py").is_file()):
        sys.path.append(here)  # the last place to look in: it shadows nothing
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing == top and name not in SHIPPED:
            raise CannotLoad(
                f"{name}: no module named {missing!r} is installed, and none lies in {here}; run it from the folder that holds "
                f"{missing}, or name the file: path/to/file.py:{_target(name).rpartition(':')[2]}"
            ) from error
        raise CannotLoad(f"{name}: no module named {missing!r}; {_hint(name, missing)}") from error
    except PackageNotFoundError as error:
        raise CannotLoad(f"{name}: no distribution {error.name!r}; {_hint(name, error.name)}") from error
    except (Exception, SystemExit) as error:
        raise CannotLoad(f"{name}: importing {module_name} raised {type(error).__name__}: {error}{raised_at(error)}") from error


def _hint(name: str, missing: str) -> str:
    """What to do about a missing package: for a shipped implementation, the two ways to have it."""
    needed = requirements(name) if name in SHIPPED else None
    if needed is None:
        return f"is {missing} installed here?"
    return f"{needed.command}, or dpo-conformance run --isolated {name}"


def requirements(name: str) -> Requirements | None:
    """What the file of an implementation says that it needs, without importing it; None where it says nothing.

    name: a shipped name, or path/to/file.py:attribute; of package.module:attribute nothing is known before it is
    imported. Raises UnknownImplementation, BadRequirements, and CannotLoad for a file that is not there.
    """
    module, _ = _place(name)
    ours = Path(__file__).parents[2].joinpath(*module.split(".")).with_suffix(".py")
    path = Path(module) if module.endswith(".py") else ours
    if name not in SHIPPED and not module.endswith(".py"):
        return None
    if not path.is_file():
        raise CannotLoad(f"{path}: no such file")
    from conformance.implementations.requirements import read_requirements  # noqa: PLC0415 - to judge needs no packaging

    return read_requirements(path)


def raised_at(error: BaseException) -> str:
    """Where an import raised, to be added to what it raised: the file and the line, and those of what called it, if others.

    Of the machinery of importing nothing is told; nothing at all where the error names a place itself, as of syntax.
    """
    if isinstance(error, SyntaxError):
        return ""
    own = {__file__, importlib.__file__, contextlib.__file__}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename not in own and not f.filename.startswith("<")]
    places = [f"{Path(frame.filename).name}, line {frame.lineno}" for frame in frames]
    if not places:
        return ""
    return f" ({places[-1]})" if len(places) == 1 else f" ({places[-1]}, reached from {places[0]})"


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
        raise CannotLoad(f"{path}: importing it raised {type(error).__name__}: {error}{raised_at(error)}") from error
    return module
