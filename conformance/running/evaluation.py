"""One call of an implementation on numbers typed by hand: what the snippets in reports use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from conformance.errors import BadRequest
from conformance.implementations import Answer, Implementation
from conformance.implementations.loading import at_hand
from conformance.implementations.preference import LossAnswer, PreferenceLoss
from conformance.implementations.protocol import Curved, Versatile, Weighing
from conformance.implementations.sequence.path import PathAnswer, PathClaims, PathImplementation
from conformance.implementations.sequence.protocol import SequenceAnswer, SequenceImplementation
from conformance.implementations.sequence.steps import StepsAnswer, StepsClaims, StepsImplementation
from conformance.implementations.ways import Twice, Way
from conformance.inputs.batch import NAMES, Batch
from conformance.inputs.losses import LossBatch
from conformance.inputs.paths import Parts, Paths
from conformance.inputs.sequences import Rows
from oracle import Format, get_format
from oracle.losses import get_loss


def evaluate_loss(implementation: Implementation | str, dtype: str | Format, **given: ArrayLike) -> LossAnswer:
    """The losses, and the derivatives by the logps' names, that an implementation of a named loss returns, as exact float64.

    given: what its loss takes, by keyword: rows of n numbers of the format, lengths, and parameters. Raises what `load`
    raises, UnknownFormat, NotRepresentable, BadRequest for an implementation of no named loss, and Misbehaviour.
    """
    fmt = get_format(dtype)
    with at_hand(implementation) as judged:
        if not isinstance(judged, PreferenceLoss):
            raise BadRequest(f"{judged.name} claims no loss by name")
        loss = get_loss(judged.claims.loss)
        rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(given[name], dtype=np.float64)) for name in loss.inputs))
        parameters = {name: float(np.asarray(given.get(name, x))) for name, x in loss.defaults.items()}
        batch = LossBatch({name: np.ascontiguousarray(row) for name, row in zip(loss.inputs, rows, strict=True)}, parameters)
        return judged.evaluate(batch, fmt, gradient=judged.claims.gradient)


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
    weights: ArrayLike | None = None,
    policy_alone: bool = False,
    way: str | None = None,
    twice: tuple[str, str] | None = None,
    strided: bool = False,
    losses_alone: bool = False,
) -> Answer:
    """The losses and derivatives that an implementation returns for those pairs, as exact float64 values.

    weights: the derivatives are those of the sum of weights times losses, n numbers, or one for a mean. policy_alone: no
    derivative is asked for in the reference's logps. Both are for implementations whose derivatives a framework takes.
    way: how it is called, one of `conformance.implementations.ways.Way`; weights are then 1 by default.
    twice: (how, name): the derivatives are those of the first derivative in that argument, differentiated as one of
    `conformance.implementations.ways.Twice` has it; with weights of 1 by default.
    strided: the inputs are views of every second number of longer arrays. losses_alone: no derivative is asked for.
    The logps must be numbers of the format: NotRepresentable names the first that is not. Raises what `load` raises,
    UnknownFormat, BadRequest for weights, ways and twice of an implementation that cannot be asked so, and Misbehaviour.
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
    with at_hand(implementation) as judged:
        if way is not None:
            return _by_way(judged, way, batch, fmt, weights)
        if twice is not None:
            return _twice(judged, *twice, batch, fmt, weights)
        if weights is None and not policy_alone:
            return judged.evaluate(batch, fmt, gradient=judged.claims.gradient and not losses_alone, strided=strided)
        if not (isinstance(judged, Weighing) and judged.claims.gradient):
            raise BadRequest(f"{judged.name}: no framework takes its derivatives, so that it takes no weights")
        n = 1 if judged.claims.reduction == "mean" else len(batch)
        upstream = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
        return judged.weighed(batch, fmt, upstream, policy_alone=policy_alone)


def evaluate_step(
    implementation: StepsImplementation | str,
    dtype: str | Format,
    policy_chosen_logps: ArrayLike,
    policy_rejected_logps: ArrayLike,
    ref_chosen_logps: ArrayLike,
    ref_rejected_logps: ArrayLike,
    *,
    parts: Sequence[int],
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> StepsAnswer:
    """The loss, the derivatives and the metrics of a step whose micro-batches, or ranks, have these numbers of pairs.

    parts: they add up to the pairs; a part may be empty. The logps must be numbers of the format: NotRepresentable names the
    first that is not. Raises what `load` raises, UnknownFormat, BadRequest for parts that do not add up and for what is no
    step, and Misbehaviour.
    """
    logps = (policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    batch = Batch.of(*(np.atleast_1d(x) for x in logps), beta=beta, label_smoothing=label_smoothing)
    if min(parts, default=-1) < 0 or sum(parts) != len(batch):
        raise BadRequest(f"parts = {list(parts)}: sizes that add up to {len(batch)} pairs")
    with at_hand(implementation) as judged:
        if not isinstance(judged.claims, StepsClaims):
            raise BadRequest(f"{judged.name} is no step: it takes no list of micro-batches")
        return judged.evaluate(Parts(batch, tuple(parts)), get_format(dtype))


def evaluate_sequence(
    implementation: SequenceImplementation | str,
    dtype: str | Format,
    logits: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    temperature: float = 1.0,
) -> SequenceAnswer:
    """The log-probabilities, and the derivatives of their sum where it gives them, of sequences as a model has them.

    logits (B, L, V), labels and mask (B, L): the logits at a place are of the token after it, so that the last predict
    nothing; without a mask every token after the first counts. Raises what `load` raises, UnknownFormat, BadRequest for
    shapes that do not agree and for what takes no token logits, and Misbehaviour.
    """
    rows = _rows(logits, labels, mask, temperature)
    with at_hand(implementation) as judged:
        if judged.claims.kind != "sequence":
            raise BadRequest(f"{judged.name} takes no token logits of sequences")
        return judged.evaluate(rows, get_format(dtype), gradient=judged.claims.gradient)


def evaluate_path(
    implementation: PathImplementation | str,
    dtype: str | Format,
    policy_logits: ArrayLike,
    ref_logits: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike | None = None,
    **parameters: float,
) -> PathAnswer:
    """The losses, and the derivatives in the policy's logits where it gives them, from the token logits of pairs.

    The chosen sequences come first, all of them, then the rejected ones; shapes as of `evaluate_sequence`. parameters: of
    the loss, by name. Raises as `evaluate_sequence` does.
    """
    policy, reference = (_rows(logits, labels, mask, 1.0) for logits in (policy_logits, ref_logits))
    with at_hand(implementation) as judged:
        if not isinstance(judged.claims, PathClaims):
            raise BadRequest(f"{judged.name} is no path from token logits to losses")
        paths = Paths(policy, reference, {**judged.claims.defaults, **parameters}, judged.claims.groups)
        return judged.evaluate(paths, get_format(dtype), gradient=judged.claims.gradient)


def _rows(logits: ArrayLike, labels: ArrayLike, mask: ArrayLike | None, temperature: float) -> Rows:
    numbers, tokens = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    kept = np.ones(tokens.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if numbers.ndim != 3 or numbers.shape[:2] != tokens.shape or tokens.shape != kept.shape:
        raise BadRequest(
            f"logits of shape {numbers.shape}, labels of {tokens.shape}, a mask of {kept.shape}: (B, L, V) and (B, L)"
        )
    return Rows("given", numbers, tokens, kept, temperature)


def _by_way(judged: Implementation, way: str, batch: Batch, fmt: Format, weights: ArrayLike | None) -> Answer:
    known = sorted(judged.ways) if isinstance(judged, Versatile) else []
    if way not in known or not isinstance(judged, Versatile):
        raise BadRequest(
            f"{judged.name}: way = {way!r}: " + (f"one of {', '.join(known)}" if known else "its wrapper knows none")
        )
    upstream = None if weights is None else np.asarray(weights, dtype=np.float64)
    return judged.by_way(Way(way), batch, fmt, gradient=judged.claims.gradient, weights=upstream)


def _twice(judged: Implementation, how: str, name: str, batch: Batch, fmt: Format, weights: ArrayLike | None) -> Answer:
    known = sorted(judged.twice_by) if isinstance(judged, Curved) else []
    if how not in known or name not in NAMES or not isinstance(judged, Curved):
        modes = f"one of {', '.join(known)}, and of {', '.join(NAMES)}" if known else "its wrapper differentiates once"
        raise BadRequest(f"{judged.name}: twice = {(how, name)!r}: {modes}")
    n = 1 if judged.claims.reduction == "mean" else len(batch)
    upstream = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    return judged.twice(Twice(how), NAMES.index(name), batch, fmt, upstream)
