"""Every logit of a format, value and gradient: `sweep` an implementation and get a `Report`."""

from conformance.sweep.report import Report, read
from conformance.sweep.running import CannotSweep, MixedWorkers, sweep

__all__ = ["CannotSweep", "MixedWorkers", "Report", "read", "sweep"]
