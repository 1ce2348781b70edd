"""A call made on another thread than all others."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def elsewhere(call: Callable[[], T]) -> T:
    """What the call returns, or raises, in a thread of its own, which this one waits for."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def made() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # raised again, in the thread that asked
            raised.append(error)

    thread = Thread(target=made, daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return returned[0]
