"""The known wrong variants, the likelier of two that fit first. To know another cause, add a line to the file of its kind."""

from dataclasses import replace

from conformance.diagnosis.hypotheses.batches import BATCHES
from conformance.diagnosis.hypotheses.gradients import GRADIENTS
from conformance.diagnosis.hypotheses.losses import FORMS
from conformance.diagnosis.hypotheses.margins import MARGINS
from conformance.diagnosis.hypotheses.options import OPTIONS
from conformance.diagnosis.hypotheses.precisions import PRECISIONS
from conformance.diagnosis.hypotheses.reductions import REDUCTIONS
from conformance.diagnosis.hypotheses.smoothings import SMOOTHINGS

__all__ = ["BATCHES", "GRADIENTS", "LOSSES", "PRECISIONS", "REDUCTIONS"]

LOSSES = (*OPTIONS, *SMOOTHINGS, *MARGINS, *FORMS, *(replace(variant, across=True) for variant in BATCHES))
"""Wrong losses, pair by pair."""
