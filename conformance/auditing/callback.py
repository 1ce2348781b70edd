"""A callback for transformers' Trainer, and for every trainer built on it: audits as it trains, warns once per kind."""

from __future__ import annotations

import warnings
from typing import Any

from conformance.auditing.audit import audit
from conformance.auditing.report import Impossible


class ImpossibleLog(UserWarning):
    """A line of the running log cannot come from the configured loss."""


def audit_callback(**settings: Any) -> Any:
    """A `transformers.TrainerCallback` that audits each line as it is logged, with the settings of `conformance.audit`.

    It warns ImpossibleLog once per check, with the first line's numbers, and changes nothing. What is not told of `ranks` the
    trainer tells. Needs transformers. Raises BadRequest for settings that are none.

        trainer.add_callback(audit_callback(beta=0.1, label_smoothing=0.1))
    """
    from transformers import TrainerCallback  # noqa: PLC0415 - its user has it

    audit([], **settings)  # a setting that is none is told now, not after hours
    told: set[str] = set()

    class AuditCallback(TrainerCallback):  # type: ignore[misc]
        """Audits the newest line."""

        def on_log(self, arguments: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
            """The line that was just logged; its digits are those of its numbers."""
            if logs is None or not getattr(state, "is_world_process_zero", True):
                return
            processes = getattr(arguments, "world_size", None)
            (file,) = audit([{"step": state.global_step, **logs}], **{"ranks": processes, **settings}).files
            for finding in file.findings:
                if finding.check not in told:
                    told.add(finding.check)
                    warnings.warn(_warning(finding), ImpossibleLog, stacklevel=2)

    return AuditCallback()


def _warning(finding: Impossible) -> str:
    sides = f"{finding.left:.6g} against {finding.right:.6g}"
    return (
        f"step {finding.step:g}: impossible for the configured loss ({finding.check}): {sides}; dpo-conformance audit says more"
    )
