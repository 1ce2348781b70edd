"""Who obeys: judge an implementation of the DPO loss against the oracle, clause by clause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.running.evaluation import evaluate
    from conformance.running.runner import judge

__all__ = ["evaluate", "judge"]


def __getattr__(name: str) -> Any:
    """Both doors open when they are first used, so that importing the package costs nothing."""
    if name == "judge":
        from conformance.running.runner import judge  # noqa: PLC0415

        return judge
    if name == "evaluate":
        from conformance.running.evaluation import evaluate  # noqa: PLC0415

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
