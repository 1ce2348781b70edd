"""Right formulas whose roundings are more than the bound allows: margins added up in an order that cancels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.diagnosis.kernels import Arithmetic
from conformance.diagnosis.points import Points
from conformance.diagnosis.variants import RIGHT
from conformance.records.diagnosis import Cause, Kind
from oracle.formats import Floats

CURE = (
    "Subtract like from like first, (pc - rc) - (pr - rr) or (pc - pr) - (rc - rr), in the dtype of the inputs or a wider "
    "one, and let no compiler re-associate it: no -ffast-math, no fused multiply-add of a margin."
)
Order = Callable[[Arithmetic, Floats, Floats, Floats, Floats, Floats], Floats]
"""The logit of (pc, pr, rc, rr, beta), each operation rounded."""
ORDERS: tuple[tuple[str, Order], ...] = (
    ("beta ((pc + rr) - (pr + rc))", lambda a, pc, pr, rc, rr, b: a(b * a(a(pc + rr) - a(pr + rc)))),
    ("beta (((pc - pr) - rc) + rr)", lambda a, pc, pr, rc, rr, b: a(b * a(a(a(pc - pr) - rc) + rr))),
    ("beta (((pc - rc) - pr) + rr)", lambda a, pc, pr, rc, rr, b: a(b * a(a(a(pc - rc) - pr) + rr))),
    ("beta (((pc + rr) - pr) - rc)", lambda a, pc, pr, rc, rr, b: a(b * a(a(a(pc + rr) - pr) - rc))),
    (
        "(beta pc - beta rc) - (beta pr - beta rr)",
        lambda a, pc, pr, rc, rr, b: a(a(a(b * pc) - a(b * rc)) - a(a(b * pr) - a(b * rr))),
    ),
    (
        "(beta pc - beta pr) - (beta rc - beta rr)",
        lambda a, pc, pr, rc, rr, b: a(a(a(b * pc) - a(b * pr)) - a(a(b * rc) - a(b * rr))),
    ),
    ("fma(beta, pc - rc, -beta (pr - rr))", lambda a, pc, pr, rc, rr, b: a(b * a(pc - rc) - a(b * a(pr - rr)))),
)


def slight(asked: Points) -> bool:
    """Whether all that is wrong is nearly right: within a few roundings more than the bound allows."""
    return asked.explained(RIGHT) is not None


def associated(asked: Points) -> Cause:
    """The order that gives every number, or none that is known."""
    a, slopes = Arithmetic(asked.probe.trial.fmt), asked.part == "derivatives"
    beta, got = asked.probe.trial.fmt.round_array(asked.beta), asked.slopes() if slopes else asked.got()
    pc, pr, rc, rr = asked.logps
    numbers, wrong = int(asked.right.sum() + asked.wrong.sum()), int(asked.wrong.sum())
    for told, order in ORDERS:
        with np.errstate(all="ignore"):
            z = order(a, pc, pr, rc, rr, beta)
            f, g, s = np.logaddexp(0, -z), np.logaddexp(0, z), 1 / (1 + np.exp(z))
            expected = s - asked.eps if slopes else f + asked.eps * z
            size = s + asked.eps if slopes else f + asked.eps * (np.abs(z) + g)
            same = np.abs(got - expected) <= 16 * a.fmt.unit_roundoff * size + 16 * a.fmt.smallest_normal
        if same[asked.wrong].all() and same[asked.right].mean() > 0.99:
            says = f"right but for the roundings of z = {told}"
            return Cause(f"order: {told}", Kind.FORMULA, asked.part, says, "", CURE, numbers, wrong)
    says = "right but for more roundings than the bound allows"
    return Cause("more roundings", Kind.FORMULA, asked.part, says, "at some of the numbers asked", CURE, numbers, wrong)
