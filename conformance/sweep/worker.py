"""What runs in a worker: load the implementation once, say who it is, judge a shard. Answers are data, never exceptions."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conformance.errors import ConformanceError
from conformance.implementations import Implementation, load
from conformance.sweep.found import Found
from conformance.sweep.identity import Subject, subject
from conformance.sweep.place import Place
from conformance.sweep.plan import Plan, Shard
from conformance.sweep.shard import Failure, judge_shard
from oracle import Format

_LOADING = threading.Lock()
_PLACE: list[Place] = []
"""Where this process says which block it asks about, if it is a worker that somebody watches."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be swept: the error's name and text."""

    error: str
    text: str


def introduce(source: str, fmt: Format) -> Subject | Refusal:
    """Who is to be judged, as this worker sees it; or why it cannot be swept in that format."""
    try:
        implementation, who = _loaded(source)
    except ConformanceError as error:
        return Refusal(type(error).__name__, str(error))
    return refusal(implementation, fmt) or who


def judge(source: str, planned: Plan, shard: Shard) -> tuple[Subject, tuple[Found, ...] | Failure] | Refusal:
    """What is found in that shard, and who was judged."""
    try:
        implementation, who = _loaded(source)
    except ConformanceError as error:
        return Refusal(type(error).__name__, str(error))
    return who, judge_shard(implementation, planned, shard, *(place.asking for place in _PLACE))


def refusal(implementation: Implementation, fmt: Format) -> Refusal | None:
    """Why the implementation cannot be swept in that format; None if it can."""
    claims, name = implementation.claims, implementation.name
    told = ""
    if fmt not in claims.formats:
        told = f"{name} does not claim {fmt.name}: it claims {', '.join(f.name for f in claims.formats)}"
    elif claims.reduction == "mean":
        told = (
            f"{name} reduces to a mean: a sweep judges every loss alone, and from a mean it would have to be asked for "
            "one pair at a time, 2**32 times; wrap the function that gives per-pair losses"
        )
    elif "beta" not in claims.options:
        told = f"{name} does not claim beta: a logit is fed exactly through beta = 1 alone"
    elif (reason := implementation.unavailable()) is not None:
        told = f"{name} cannot run here: {reason}"
    return Refusal("CannotSweep", told) if told else None


def _loaded(source: str) -> tuple[Implementation, Subject]:
    with _LOADING:
        return _load(source)


@cache
def _load(source: str) -> tuple[Implementation, Subject]:
    implementation = load(source)
    return implementation, subject(implementation, source)


def start(noise: Path, place: Path) -> None:
    """Make this process a worker: its prints go to a file, an interrupt is the parent's business, and it ends with it.

    place: the file by which the parent knows where it is.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _PLACE[:] = [Place(place)]
    with noise.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        with contextlib.suppress(Exception):
            parent.join()
        os._exit(1)
