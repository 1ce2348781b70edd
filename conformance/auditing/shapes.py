"""What a configured loss can and cannot average to: its shape as a function of the logit, or its range alone.

A convex loss phi of z, averaged over a line's pairs with mean logit m and share a of positive logits, obeys

    mean phi >= min { a phi(p) + (1 - a) phi(q) : p >= 0 >= q, a p + (1 - a) q = m }       (Jensen on either side of 0)
    mean phi <= phi(0) + phi'(+inf) m where a = 1, and phi(0) + phi'(-inf) m where a = 0    (a convex function lies
                                                                                          below its asymptotic slope)

and mean phi >= inf phi whatever m and a are. docs/audit.md has the proofs. The functions are those of oracle.losses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from conformance.errors import BadRequest
from oracle import Real, losses
from oracle.formats import Floats
from oracle.losses import Loss

Exact = Callable[[Fraction], Real]
Vector = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Curve:
    """One convex function of the logit: exactly, over arrays, its slopes at -inf and +inf, and where it is least.

    least: of phi, -inf where there is none. lowest: the z of the least value; an infinity where it is only approached.
    """

    exact: Exact
    values: Vector
    slopes: tuple[float, float]
    lowest: float
    least: float


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a loss: curves between which it lies where a parameter is not told, or a range.

    curves: the loss is one of them or between two of them, whatever the logit; empty where only the range is known.
    formula: how it is written. range: (least, most) that any pair's loss can be.
    """

    name: str
    formula: str
    curves: tuple[Curve, ...]
    range: tuple[float, float]
    told: bool = True


def softplus_minus(z: Floats) -> Floats:
    """log(1 + e**-z) in float64."""
    return np.asarray(np.maximum(-z, 0.0) + np.log1p(np.exp(-np.abs(z))))


def tilted(slope: Fraction, shift: Fraction = Fraction(0)) -> Curve:
    """f(x) + slope x at x = z - shift: sigmoid (0), cDPO (eps), robust (-eps / (1 - 2 eps)), SimPO (a shift)."""
    e = float(slope)
    moved = float(shift)
    lowest, least = math.inf, 0.0
    if e > 0:
        lowest = math.log((1 - e) / e) + moved if e < 1 else -math.inf
        least = -e * math.log(e) - (1 - e) * math.log(1 - e) if e < 1 else 0.0
    elif e < 0:
        least = -math.inf
    return Curve(
        lambda z: Real.softplus(shift - z) + slope * (z - shift),
        lambda z: softplus_minus(z - moved) + (e * (z - moved) if e else 0.0),
        (e - 1, e),
        lowest,
        least,
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A loss by name: what it needs to be told, and what it then is."""

    needs: tuple[str, ...]
    make: Callable[[Fraction | None, Fraction | None, Mapping[str, Fraction]], Shape | None]

    def __call__(self, beta: Fraction | None, eps: Fraction | None, parameters: Mapping[str, Fraction]) -> Shape | None:
        """The shape; None where what it needs is not told. Raises BadRequest for what it does not take."""
        unknown = set(parameters) - set(self.needs)
        if unknown:
            raise BadRequest(f"{', '.join(sorted(unknown))}: this loss takes {', '.join(self.needs) or 'nothing'}")
        return self.make(beta, eps, parameters)


HALF = Fraction(1, 2)


def _sigmoid(_beta: Fraction | None, eps: Fraction | None, _: Mapping[str, Fraction]) -> Shape:
    if eps is None:
        curves = tilted(Fraction(0)), tilted(HALF)
        return Shape("sigmoid", "f(z) + eps z, eps in [0, 1/2]", curves, (0.0, math.inf), told=False)
    curve = tilted(eps)
    return Shape(
        "sigmoid" if eps == 0 else "cdpo", f"f(z) + {float(eps):g} z" if eps else "f(z)", (curve,), (curve.least, math.inf)
    )


def _robust(_beta: Fraction | None, eps: Fraction | None, _: Mapping[str, Fraction]) -> Shape | None:
    if eps is None:
        return None
    if eps >= HALF:
        raise BadRequest(f"label_smoothing = {float(eps):g}: below 1/2 for robust")
    slope = -eps / (1 - 2 * eps)
    return Shape("robust", f"f(z) - {float(-slope):g} z", (tilted(slope),), (-math.inf if eps else 0.0, math.inf))


def _hinge(*_: object) -> Shape:
    curve = Curve(lambda z: Real.rational(max(1 - z, Fraction(0))), lambda z: np.maximum(1 - z, 0.0), (-1.0, 0.0), 1.0, 0.0)
    return Shape("hinge", "max(1 - z, 0)", (curve,), (0.0, math.inf))


def _ipo(beta: Fraction | None, *_: object) -> Shape | None:
    if beta is None:
        return None
    if beta == 0:
        raise BadRequest("beta = 0: not 0 for ipo")
    scale = float(1 / beta**2)
    curve = Curve(
        lambda z: Real.rational(((z - HALF) / beta) ** 2),
        lambda z: (z - 0.5) ** 2 * scale,
        (-math.inf, math.inf),
        0.5,
        0.0,
    )
    return Shape("ipo_sum", "((z - 1/2) / beta)^2", (curve,), (0.0, math.inf))


def _simpo(_beta: Fraction | None, eps: Fraction | None, parameters: Mapping[str, Fraction]) -> Shape | None:
    gamma = parameters.get("gamma")
    if gamma is None:
        return None
    slopes = (Fraction(0), HALF) if eps is None else (eps,)
    curves = tuple(tilted(slope, gamma) for slope in slopes)
    return Shape("simpo", "f(z - gamma)", curves, (min(curve.least for curve in curves), math.inf), told=eps is not None)


def _between(name: str, formula: str, least: float, most: float) -> Known:
    return Known((), lambda *_: Shape(name, formula, (), (least, most)))


def _kto(_beta: object, _eps: object, parameters: Mapping[str, Fraction]) -> Shape:
    weights = [parameters.get(name, Fraction(1)) for name in ("desirable_weight", "undesirable_weight")]
    told = len(parameters) == 2
    return Shape("kto", "w (1 - sigma(...))", (), (0.0, float(max(weights)) if told else math.inf), told=told)


def _any(loss: Loss) -> Known:
    """Any other loss: its pairs can be checked, and of its means nothing is known."""
    needs = tuple(name for name in loss.defaults if name not in {"beta", "label_smoothing"})
    return Known(needs, lambda *_: Shape(loss.name, loss.title, (), (-math.inf, math.inf)))


BOUNDED: Mapping[str, Known] = {
    "sigmoid": Known((), _sigmoid),
    "cdpo": Known(("label_smoothing",), _sigmoid),
    "robust": Known(("label_smoothing",), _robust),
    "hinge": Known((), _hinge),
    "ipo_sum": Known(("beta",), _ipo),
    "ipo_average": _between("ipo_average", "(a / lw - b / ll - 1 / (2 beta))^2", 0.0, math.inf),
    "simpo": Known(("gamma",), _simpo),
    "kto": Known(("desirable_weight", "undesirable_weight"), _kto),
    "orpo": _between("orpo", "nll + lambda f(log odds)", 0.0, math.inf),
    "apo_zero": _between("apo_zero", "s(r_w) + sigma(r_l)", 0.0, 2.0),
    "apo_down": _between("apo_down", "sigma(r_w) + s(z)", 0.0, 2.0),
    "bce_pair": _between("bce_pair", "f(r_w) + f(-r_l)", 0.0, math.inf),
    "nca_pair": _between("nca_pair", "3/2 f(r_w) + r_w / 2 + f(-r_l) / 2", 1.5 * math.log(1.5) + 0.5 * math.log(2.0), math.inf),
    "sppo_hard": _between("sppo_hard", "(a - 1/(2 beta))^2 + (b + 1/(2 beta))^2", 0.0, math.inf),
}
"""The losses of whose means something is known, by the names of oracle.losses."""
LOSSES: Mapping[str, Known] = {**BOUNDED, **{name: _any(loss) for name, loss in losses.LOSSES.items() if name not in BOUNDED}}
"""The losses whose logs or tensors can be audited."""
