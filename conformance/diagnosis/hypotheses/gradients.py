"""Wrong derivatives of a right loss; those of each wrong loss are tried besides."""

from __future__ import annotations

import math
from collections.abc import Callable

from conformance.diagnosis.forms import At, Form
from conformance.diagnosis.hypotheses.cures import BACKWARD, SMOOTHING, WIDER
from conformance.diagnosis.variants import Variant
from oracle import bfloat16, binary16, binary32
from oracle.formats import Floats


def _factors(key: str, says: str, pc: float, pr: float, rc: float, rr: float) -> Variant:
    return Variant(key, says, BACKWARD, factors=(pc, pr, rc, rr))


def _slope(key: str, says: str, slope: Callable[[At], Floats], cure: str = BACKWARD) -> Variant:
    return Variant(key, says, cure, form=Form(lambda at: at.f, slope))


def _scaled(key: str, says: str, scale: Callable[[int, float, float], float], cure: str = BACKWARD) -> Variant:
    return Variant(key, says, cure, scale=scale)


GRADIENTS = (
    _scaled(
        "derivatives negated",
        "the right ones with the opposite sign: gradient ascent, or in the order rejected, chosen, rejected, chosen",
        lambda n, b, e: -1.0,
    ),
    _scaled(
        "derivatives zero",
        "0, always: the loss is cut off from its inputs, or the backward pass returns zeros",
        lambda n, b, e: 0.0,
        "Return beta * sigma(-z) with its sign for each argument; no .detach(), .item() or no_grad between inputs and loss.",
    ),
    _scaled("derivatives halved", "half of the right ones", lambda n, b, e: 0.5),
    _scaled("derivatives doubled", "twice the right ones", lambda n, b, e: 2.0),
    _scaled("derivatives divided by n", "the right ones divided by the number of pairs", lambda n, b, e: 1 / n),
    _scaled("derivatives times n", "the right ones times the number of pairs", lambda n, b, e: float(n)),
    _scaled("derivatives without beta", "the right ones without the factor beta", lambda n, b, e: 1 / b if b else math.inf),
    _scaled("derivatives times beta", "the right ones times beta once more", lambda n, b, e: b),
    _factors("sign of the rejected", "right but for the sign of policy_rejected_logps", 1, -1, 1, 1),
    _factors("sign of the chosen", "right but for the sign of policy_chosen_logps", -1, 1, 1, 1),
    _factors("sign of the reference", "right but for the sign of the reference's", 1, 1, -1, -1),
    _factors("sign of the chosen reference", "right but for the sign of ref_chosen_logps", 1, 1, -1, 1),
    _factors("sign of the rejected reference", "right but for the sign of ref_rejected_logps", 1, 1, 1, -1),
    _factors("chosen doubled", "right but for twice that in policy_chosen_logps", 2, 1, 1, 1),
    _factors("rejected doubled", "right but for twice that in policy_rejected_logps", 1, 2, 1, 1),
    _factors("reference doubled", "right but for twice those in the reference", 1, 1, 2, 2),
    _factors("chosen detached", "right but for a 0 in policy_chosen_logps", 0, 1, 1, 1),
    _factors("rejected detached", "right but for a 0 in policy_rejected_logps", 1, 0, 1, 1),
    _factors("policy detached", "right but for zeros in the policy's log-probabilities", 0, 0, 1, 1),
    _slope("derivatives unsmoothed", "those of the loss without label smoothing", lambda at: -at.s, SMOOTHING),
    _slope(
        "shift of the derivatives negated",
        "those of softplus(-z) - eps z: the shift has the wrong sign",
        lambda at: -at.eps - at.s,
        SMOOTHING,
    ),
    _slope("derivatives of the won pair", "with sigma(z) in the place of sigma(-z)", lambda at: at.eps - at.t),
    _slope("derivatives of the won pair, exchanged", "with sigma(z) in the place of sigma(-z)", lambda at: at.t - at.eps),
    _slope("derivatives of -z", "those of -z itself: sigma(-z) is taken for 1", lambda at: at.eps - 1 + 0 * at.z),
    _scaled("derivatives times n", "the right ones times the number of pairs", lambda n, b, e: float(n)),
    *(
        Variant(f"derivatives in {fmt.name}", f"the right ones, rounded to {fmt.name}", WIDER, inside=fmt, rounds=fmt)
        for fmt in (binary32, binary16, bfloat16)
    ),
)
