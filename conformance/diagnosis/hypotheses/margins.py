"""Another margin: arguments in another order, terms that are missing, scaled, or turned."""

from __future__ import annotations

import numpy as np

from conformance.diagnosis.hypotheses.cures import ORDER, REFERENCE
from conformance.diagnosis.variants import Logps, Variant
from oracle.formats import Floats


def _margin(key: str, says: str, cure: str, *margin: float) -> Variant:
    pc, pr, rc, rr = margin
    return Variant(key, says, cure, margin=(pc, pr, rc, rr))


def _probabilities(x: Logps) -> Logps:
    pc, pr, rc, rr = (np.exp(values) for values in x)
    return pc, pr, rc, rr


MARGINS = (
    _margin(
        "loss of -z",
        "the loss of -z: chosen and rejected are exchanged, or policy and reference, or a sign is wrong, or eps and 1 - eps",
        ORDER,
        -1,
        1,
        1,
        -1,
    ),
    _margin(
        "reference crossed",
        "the loss of (pc - rr) - (pr - rc): the reference's chosen and rejected are exchanged, or the reference is added",
        f"{REFERENCE} {ORDER}",
        1,
        -1,
        1,
        -1,
    ),
    _margin(
        "policy crossed",
        "the loss with the policy's chosen and rejected exchanged, the reference's not: (pr - rc) - (pc - rr)",
        ORDER,
        -1,
        1,
        -1,
        1,
    ),
    _margin(
        "log-ratios added",
        "the loss of the sum of the log-ratios, (pc - rc) + (pr - rr): a sign, or pr and rc exchanged",
        ORDER,
        1,
        1,
        -1,
        -1,
    ),
    _margin(
        "minus the log-ratios' sum",
        "the loss of minus the sum of the log-ratios, -(pc - rc) - (pr - rr): arguments in another order",
        ORDER,
        -1,
        -1,
        1,
        1,
    ),
    _margin("no reference", "the loss without the reference: pc - pr", REFERENCE, 1, -1, 0, 0),
    _margin("no rejected reference", "the loss without ref_rejected: (pc - rc) - pr", REFERENCE, 1, -1, -1, 0),
    _margin("no chosen reference", "the loss without ref_chosen: pc - (pr - rr)", REFERENCE, 1, -1, 0, 1),
    _margin("half of the reference", "the loss with half of the reference", REFERENCE, 1, -1, -0.5, 0.5),
    _margin("chosen alone", "the loss of the chosen log-ratio alone: pc - rc", ORDER, 1, 0, -1, 0),
    _margin("rejected alone", "the loss of the rejected log-ratio alone: -(pr - rr)", ORDER, 0, -1, 0, 1),
    _margin("no policy", "the loss without the policy: -(rc - rr)", ORDER, 0, 0, -1, 1),
    Variant(
        "always ln 2",
        "the loss of a logit of 0, ln 2 for ever: the policy's own log-probabilities serve as reference",
        "Hand the reference model's log-probabilities over, not the policy's own.",
        margin=(0.0, 0.0, 0.0, 0.0),
    ),
    Variant("|margin|", "the loss of |z|: every pair counts as won", ORDER, before=lambda x: net(np.abs(margin_of(x)))),
    Variant(
        "margin not negative",
        "the loss of max(z, 0): lost pairs count as ties",
        ORDER,
        before=lambda x: net(np.maximum(margin_of(x), 0)),
    ),
    Variant(
        "margin halved", "the loss of half of the margin: the log-ratios are averaged", ORDER, options=lambda b, e: (b / 2, e)
    ),
    Variant(
        "probabilities for logarithms",
        "the loss of differences of probabilities, exp(logps), not of log-probabilities",
        REFERENCE,
        before=_probabilities,
    ),
    Variant(
        "length-normalised",
        "the loss of the margin divided by the larger log-probability of the policy, as if by a length",
        ORDER,
        before=lambda x: net(margin_of(x) / np.maximum(np.maximum(np.abs(x[0]), np.abs(x[1])), 1)),
    ),
)


def margin_of(x: Logps) -> Floats:
    """The margins, computed in float64."""
    pc, pr, rc, rr = x
    return (pc - rc) - (pr - rr)


def net(margin: Floats) -> Logps:
    """Four arrays that have this margin."""
    nothing = np.zeros_like(margin)
    return margin, nothing, nothing, nothing
