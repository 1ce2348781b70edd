"""The certified evaluation compiled: the same bits as NumPy's, several times faster, where the extra `fast` is installed.

Nothing needs it, and no figure depends on it. numba compiles at the first use, in each process anew, which takes
seconds for a group of loops, so that each is asked whether it pays: below WORTH numbers in all NumPy does it.
numba was taken before an extension in C because an extra of wheels installs without a compiler, and nothing is built where
nobody asks for it. Why the bits are the same: docs/enclosures.md, section "Compiled".
"""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Literal

Group = Literal["first", "second", "sweep"]

SWITCH = "DPO_CONFORMANCE_COMPILED"
"""An environment variable: 0 leaves numba alone where it is installed."""
WORTH: dict[Group, int] = {"first": 1 << 27, "second": 1 << 23, "sweep": 1 << 28}
"""Numbers in one process from which on compiling a group of loops pays: about as long as NumPy would take longer."""

_asked: Counter[Group] = Counter()
_chosen: ContextVar[bool | None] = ContextVar("chosen", default=None)


@cache
def available() -> bool:
    """Whether numba is installed, and not switched off."""
    return os.environ.get(SWITCH) != "0" and importlib.util.find_spec("numba") is not None


@contextmanager
def choice(use: bool) -> Iterator[None]:
    """Within it, in this thread, every call is compiled, or none is. Raises ModuleNotFoundError without numba."""
    if use and importlib.util.find_spec("numba") is None:
        raise ModuleNotFoundError("compiled loops need numba: pip install 'dpo-conformance[fast]'")
    token = _chosen.set(use)
    try:
        yield
    finally:
        _chosen.reset(token)


def worth(group: Group, numbers: int) -> bool:
    """Whether a call with so many numbers is for the loops of that group, a module here to be imported then."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    if not available():
        return False
    _asked[group] += numbers
    return _asked[group] >= WORTH[group]
