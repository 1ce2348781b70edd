"""One call of an implementation on numbers typed by hand: what the snippets in reports use."""

from __future__ import annotations

from contextlib import nullcontext

from numpy.typing import ArrayLike

from conformance.implementations import Answer, Implementation
from conformance.implementations.loading import loaded
from conformance.inputs.batch import Batch
from oracle import Format, get_format


def evaluate(
    implementation: Implementation | str,
    dtype: str | Format,
    policy_chosen_logps: ArrayLike,
    policy_rejected_logps: ArrayLike,
    ref_chosen_logps: ArrayLike,
    ref_rejected_logps: ArrayLike,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Answer:
    """The losses and derivatives that an implementation returns for those pairs, as exact float64 values.

    The logps must be numbers of the format: NotRepresentable names the first that is not. Raises what `load` raises,
    UnknownFormat, and Misbehaviour.
    """
    batch = Batch.of(
        policy_chosen_logps,
        policy_rejected_logps,
        ref_chosen_logps,
        ref_rejected_logps,
        beta=beta,
        label_smoothing=label_smoothing,
    )
    fmt = get_format(dtype)
    with loaded(implementation) if isinstance(implementation, str) else nullcontext(implementation) as judged:
        return judged.evaluate(batch, fmt, gradient=judged.claims.gradient)
