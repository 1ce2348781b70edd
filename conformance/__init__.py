"""Who obeys: judge an implementation of the DPO loss against the oracle, clause by clause."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs more to import than all of this package
if TYPE_CHECKING:
    from typing import Any

    from conformance.auditing import audit
    from conformance.running.evaluation import evaluate, evaluate_loss, evaluate_path, evaluate_sequence, evaluate_step
    from conformance.running.runner import judge

__all__ = ["audit", "evaluate", "evaluate_loss", "evaluate_path", "evaluate_sequence", "evaluate_step", "judge"]


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:
    """Each door opens when it is first used, so that importing the package costs nothing."""
    if name == "judge":
        from conformance.running.runner import judge  # noqa: PLC0415

        return judge
    if name.startswith("evaluate") and name in __all__:
        from conformance.running import evaluation  # noqa: PLC0415

        return getattr(evaluation, name)
    if name == "audit":
        from conformance.auditing import audit  # noqa: PLC0415

        return audit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
