"""Audit a run that already happened: its log lines, its saved log-probabilities, or its saved logits."""

from conformance.auditing.audit import audit, audit_file
from conformance.auditing.callback import audit_callback
from conformance.auditing.report import FileReport, Report
from conformance.auditing.settings import Settings

__all__ = ["FileReport", "Report", "Settings", "audit", "audit_callback", "audit_file"]
