"""Reading what an implementation returned: is it an array of numbers of the promised shape and dtype?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

from conformance.errors import BadClaim, Misbehaviour
from conformance.implementations.protocol import METRICS, REWARDS
from conformance.inputs.batch import NAMES
from oracle import Format

T = TypeVar("T")


def called(function: Callable[..., T], *arguments: Any) -> T:
    """The function's result; whatever it raises becomes a Misbehaviour that says so."""
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        text = str(error).strip().splitlines()
        raise Misbehaviour("raised", f"it raised {type(error).__name__}: {text[0] if text else ''}") from error


def check_shape(what: str, got: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raises Misbehaviour unless the shape is the promised one."""
    if got != expected:
        raise Misbehaviour("wrong shape", f"{what}: shape {got} where {expected} was promised")


def check_dtype(what: str, got: str, precision: int | None, fmt: Format) -> None:
    """Raises Misbehaviour unless the dtype is a floating one at least as wide as the format (precision is its own)."""
    if precision is None:
        raise Misbehaviour("wrong dtype", f"{what}: dtype {got}, not a floating-point one")
    if precision < fmt.precision:
        raise Misbehaviour("wrong dtype", f"{what}: dtype {got} is narrower than the inputs' {fmt.name}")


def read_metrics(result: object) -> dict[str, float]:
    """The metrics that were returned, as Python floats: METRICS, REWARDS, or both.

    Raises Misbehaviour naming what is missing of a group, or no number. Other names are left aside.
    """
    if not isinstance(result, Mapping):
        raise Misbehaviour("wrong type", f"metrics: a {type(result).__name__} where a mapping was promised")
    groups = [names for names in (METRICS, REWARDS) if any(name in result for name in names)] or [METRICS]
    names = [name for group in groups for name in group]
    missing = [name for name in names if name not in result]
    if missing:
        raise Misbehaviour("wrong type", f"metrics: no {', '.join(missing)}")
    return {name: _one_number(name, result[name]) for name in names}


def _one_number(name: str, value: Any) -> float:
    """A metric as a Python float. Raises Misbehaviour naming it where it is one number a pair, or none."""
    if getattr(value, "shape", ()) not in ((), (1,)):
        shape = tuple(value.shape)
        raise Misbehaviour("wrong shape", f"metrics: {name} has shape {shape}, where one number a batch was promised: its mean")
    return called(float, value)


def check_unchanged(same: Sequence[bool]) -> None:
    """Raises Misbehaviour naming each of the four inputs that a metrics function has changed."""
    wrote = [name for name, unchanged in zip(NAMES, same, strict=True) if not unchanged]
    if wrote:
        raise Misbehaviour("wrote its inputs", f"metrics: it changed {', '.join(wrote)} in place")


def versions(library: str | None, **frameworks: str) -> dict[str, str]:
    """The judged library's name and installed version under the key `library`, where one is named; and by name the version
    of each framework that is not that library itself.

    Raises BadClaim for a distribution that is not installed.
    """
    try:
        judged = {} if library is None else {"library": f"{library} {version(library)}"}
    except (PackageNotFoundError, TypeError, ValueError):
        raise BadClaim(f"library = {library!r}: no distribution of that name is installed, as `pip list` has them") from None
    return judged | {name: number for name, number in frameworks.items() if name != library}
