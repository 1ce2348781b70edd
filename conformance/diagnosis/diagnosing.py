"""The diagnosis of one implementation in one format, from its findings and the answers of a probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import conduct, elsewhere
from conformance.diagnosis.explaining import of_derivatives, of_losses, with_derivatives
from conformance.diagnosis.extremes import alone, optioned
from conformance.diagnosis.metrics import of_loss
from conformance.diagnosis.points import NEAR, Points, points
from conformance.diagnosis.probe import Probe, probed
from conformance.diagnosis.reductions import reductions
from conformance.diagnosis.shapes import is_vague
from conformance.diagnosis.smallest import copies, smallest
from conformance.diagnosis.states import beside, kept, unrepeated
from conformance.inputs.batch import NAMES
from conformance.records.diagnosis import Cause, Diagnosis, Kind
from conformance.records.record import Finding, Level, Verdict

MOST = 12
"""Causes that fit alike and are told."""


def diagnosed(trial: Trial, findings: Sequence[Finding]) -> Diagnosis | None:
    """Why the implementation violates; None where it violates no MUST."""
    violated = [f for f in findings if f.verdict is Verdict.VIOLATES and f.level is Level.MUST]
    if not violated:
        return None
    refused = conduct.cause(violated)
    if refused is not None and violated[0].clause == "CALL-1":
        return Diagnosis((replace(refused, cure=refused.cure or find("CALL-1").remedy),))
    probe = probed(trial)
    missing = absent(probe)
    losses, derivatives = points(probe, "loss"), points(probe, "derivatives")
    state = kept(trial, findings)
    told = [[state]] if state else _groups(probe, losses, derivatives)  # what is kept makes anything of the rest
    far = optioned(trial, violated)
    if far is not None and alone(violated):
        told = [[far]]
    found = ([_without(missing)] if missing else [], *told)
    groups = [group for group in found if group]
    if any(finding.clause.startswith("METRIC-") for finding in violated):
        groups += [[cause] for cause in of_loss(trial) or elsewhere.metrics(trial, violated)]
    if refused is not None:
        groups.append([refused])
    if far is not None and (not groups or _vague(groups[0][0])):
        groups = [[far]]
    if not groups and (wrote := [finding for finding in violated if finding.clause == "CALL-3"]):
        groups = [[_of_clause(wrote)]]  # numbers that are wrong where memory is shared follow from it
    ties = _of_ties(losses, derivatives, violated)
    if (
        not groups
        or _vague(groups[0][0])
        or groups[0][0].where.startswith("from pair ")  # of which size blocks are, larger batches tell
        or _of_slopes_alone(groups, violated)
        or ties
    ):
        groups = _elsewhere(trial, violated, groups, frozenset() if ties else _plainly(losses, derivatives))
    if (not groups or _vague(groups[0][0])) and (entering := beside(trial, losses, derivatives)) is not None:
        groups = [[entering]]
    if (not groups or _vague(groups[0][0])) and (changed := unrepeated(trial, violated)) is not None:
        groups = [[changed]]
    if not groups:
        groups = [[_of_clause(violated)]]
    first, *others = groups
    usual = _of_clause(violated).cure
    first = [cause if cause.cure else replace(cause, cure=usual) for cause in first]
    return Diagnosis(
        tuple(first[:MOST]),
        tuple(group[0] for group in others),
        smallest(probe, losses, derivatives, missing, kernel=first[0].kind is Kind.KERNEL),
        missing,
        copies(trial, violated, any_size=not (losses.wrong.any() or derivatives.wrong.any() or trial.compiles)),
    )


def _vague(cause: Cause) -> bool:
    """Whether it says neither what is returned nor where."""
    return is_vague(cause.says) or cause.where == "at some of the numbers asked"


def _of_slopes_alone(groups: list[list[Cause]], violated: Sequence[Finding]) -> bool:
    """Whether derivatives are explained and no loss, though a kernel is wrong on one path alone, which explains more."""
    concerned = any(finding.clause in {"KERNEL-6", "KERNEL-7"} for finding in violated)
    return concerned and groups[0][0].part == "derivatives" and not groups[0][0].key.startswith("no gradient")


def _of_ties(losses: Points, derivatives: Points, violated: Sequence[Finding]) -> bool:
    """Whether ties alone are wrong, of which a probe has too few to tell what they are."""
    if not any(finding.clause in {"TIE-1", "TIE-2"} for finding in violated):
        return False
    pc, pr, rc, rr = (np.concatenate(parts) for parts in zip(losses.logps, derivatives.logps, strict=True))
    wrong = np.concatenate([losses.wrong, derivatives.wrong])
    return bool((((pc == pr) & (rc == rr)) | ~wrong).all())


def _plainly(*parts: Points) -> frozenset[str]:
    """The parts of which something is wrong at the ordinary pairs of a probe."""
    found = set()
    for asked in parts:
        near = asked.by_call(asked.wrong & (np.abs(asked.z) <= NEAR)) if asked.calls else []
        if any(mask.any() and not call.how for call, mask in zip(asked.calls, near, strict=True)):
            found.add(asked.part)
    return frozenset(found)


def _elsewhere(
    trial: Trial, violated: Sequence[Finding], groups: list[list[Cause]], plainly: frozenset[str]
) -> list[list[Cause]]:
    """The groups, behind what is found by calls that a probe does not make."""
    found = elsewhere.cause(trial, violated, plainly)
    kept = [group for group in groups if not _vague(group[0]) and not (found is not None and "same numbers" in found.where)]
    return groups if found is None else [[found], *kept]


def absent(probe: Probe) -> tuple[str, ...]:
    """The arguments in which no derivative was returned; a reference that is detached altogether is not meant."""
    for call in probe.of("options"):
        if call.answer is not None and probe.trial.implementation.claims.gradient:
            parts = call.answer.gradient or (None,) * 4
            none = [part is None for part in parts]
            return tuple(
                name
                for name, missing in zip(NAMES, none, strict=True)
                if missing and ("ref" not in name or none[:2] != [False, False])
            )
    return ()


def _without(missing: Sequence[str]) -> Cause:
    """No gradient, or none in some arguments."""
    every = len(missing) == len(NAMES)
    told = (
        "no gradient at all: the losses are not attached to the log-probabilities"
        if every
        else f"no gradient in {' and '.join(missing)}"
    )
    return Cause(
        "no gradient" if every else f"no gradient in {', '.join(missing)}",
        Kind.GRADIENT,
        "derivatives",
        told,
        "",
        ATTACHED,
        0,
        0,
    )


ATTACHED = (
    "Let the derivatives through: no .detach(), .item(), .data, .numpy() or no_grad between the log-probabilities and the "
    "loss; where it has none on purpose, claim gradient=False."
)


def _groups(probe: Probe, losses: Points, derivatives: Points) -> Iterator[list[Cause]]:
    """Causes that fit alike, group by group: of the losses, of the derivatives, of means."""
    means = reductions(probe)
    if means and means[0].where == "":  # a reduction that is wrong for one pair too explains the pairs
        yield means
        return
    found = list(of_losses(losses))
    both = [with_derivatives(variant, cause, derivatives) for variant, cause in found]
    yield both
    consequent = bool(both) and both[0].kind is Kind.KERNEL
    if not (both and "derivatives" in both[0].part) and not consequent:
        known = [cause for slope, cause in of_derivatives(derivatives) if slope is not None or not both]
        yield known
    yield means


_TELLING = (
    "METRIC",
    "REDUCE",
    "BATCH",
    "SPECIAL",
    "EXTREME",
    "OPTION",
    "CALL",
    "GRAD",
    "LOSS",
    "SMOOTH",
    "DEF",
    "PROP",
    "KERNEL",
)
"""Chapters by what a violation of one of their clauses alone tells; others come after."""


def _of_clause(violated: Sequence[Finding]) -> Cause:
    """The clause that tells the most, where nothing that is known fits."""

    def rank(finding: Finding) -> int:
        chapter = finding.clause.partition("-")[0]
        return _TELLING.index(chapter) if chapter in _TELLING else len(_TELLING)

    first = min(violated, key=rank)
    return conduct.by_note(first) if conduct.told(first) else conduct.by_title(first)
