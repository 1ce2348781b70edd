"""Why it is wrong: every known wrong variant is tried on the answers of a probe, and what fits them all is said."""

from conformance.diagnosis.by_kind import diagnosed

__all__ = ["diagnosed"]
