"""The form of a loss: what becomes of a logit. The right one, and others that are returned in its place.

A form is a function of a point `At`, whose parts are worked out by the oracle's enclosures to float64's last digit; it
gives the value, the derivative in the logit, and the size of the terms that its rounding errors are relative to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from oracle import enclosure
from oracle.bounds import centre
from oracle.formats import Floats

LN2 = math.log(2)


@dataclass(frozen=True, eq=False)
class At:
    """Logits z = beta m of shape (n,), with the options that were used and the numbers of pairs in their call."""

    z: Floats
    m: Floats
    beta: float
    eps: float

    @property
    def exchanged(self) -> At:
        """The same with chosen and rejected exchanged."""
        return At(-self.z, -self.m, self.beta, self.eps)

    @property
    def rounded(self) -> At:
        """The same with the logit rounded to a whole number."""
        return At(np.rint(self.z), self.m, self.beta, self.eps)

    @cached_property
    def f(self) -> Floats:
        """softplus(-z), the loss without smoothing."""
        return centre(enclosure.softplus_minus(self.z))

    @cached_property
    def g(self) -> Floats:
        """softplus(z), the loss of the pair exchanged."""
        return centre(enclosure.softplus_minus(-self.z))

    @cached_property
    def s(self) -> Floats:
        """sigma(-z), the probability of the wrong preference."""
        return centre(enclosure.sigmoid_minus(self.z))

    @cached_property
    def t(self) -> Floats:
        """sigma(z)."""
        return centre(enclosure.sigmoid_minus(-self.z))


Function = Callable[[At], Floats]


@dataclass(frozen=True, slots=True)
class Form:
    """value(at), slope(at) = d value / dz, and size(at), to which rounding errors are relative; None: the value's own.

    slope None: its derivative is not predicted.
    """

    value: Function
    slope: Function | None = None
    size: Function | None = None


def mixed_size(at: At) -> Floats:
    """Every term of the smoothed loss, however it is written."""
    return np.asarray(np.abs(at.f) + abs(at.eps) * (np.abs(at.z) + at.g))


def _exp(at: At) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-at.z))


def _target(at: At) -> float:
    """1 / (2 beta), the margin that IPO aims at."""
    return 1 / (2 * at.beta) if at.beta else 0.0


def _over(numerator: Floats, eps: float) -> Floats:
    """A quotient by 1 - 2 eps; NaN where that is 0."""
    return numerator / (1 - 2 * eps) if eps != 0.5 else np.full_like(numerator, np.nan)


SMOOTHED = Form(lambda at: at.f + at.eps * at.z, lambda at: at.eps - at.s, mixed_size)
"""(1 - eps) softplus(-z) + eps softplus(z)."""
ROBUST = Form(
    lambda at: _over((1 - at.eps) * at.f - at.eps * at.g, at.eps),
    lambda at: _over(-(1 - at.eps) * at.s - at.eps * at.t, at.eps),
    lambda at: np.abs(_over(mixed_size(at), at.eps)),
)
NOT_TAKEN_OFF = Form(lambda at: at.f + at.eps * at.g, lambda at: at.eps * at.t - at.s, mixed_size)
SECOND_TERM_MISSING = Form(lambda at: (1 - at.eps) * at.f, lambda at: (at.eps - 1) * at.s, mixed_size)
SHIFT_NEGATED = Form(lambda at: at.f - at.eps * at.z, lambda at: -at.eps - at.s, mixed_size)
TOWARDS_LN2 = Form(
    lambda at: (1 - at.eps) * at.f + at.eps * LN2, lambda at: (at.eps - 1) * at.s, lambda at: at.f + at.eps * LN2
)
OF_PROBABILITY = Form(
    lambda at: -np.log((1 - at.eps) * at.t + at.eps / 2) if at.eps else at.f,
    lambda at: -(1 - at.eps) * at.t * at.s / ((1 - at.eps) * at.t + at.eps / 2) if at.eps else -at.s,
    lambda at: at.f + (at.eps > 0),
)
LOST_ALONE = Form(
    lambda at: np.where(at.z < 0, at.f + at.eps * at.z, at.f), lambda at: np.where(at.z < 0, at.eps, 0) - at.s, mixed_size
)
OF_WHOLE_LOGIT = Form(lambda at: SMOOTHED.value(at.rounded), None, lambda at: mixed_size(at.rounded))
MEAN_SHIFT = Form(lambda at: at.f + at.eps * np.mean(at.z), None, lambda at: at.f + at.eps * np.mean(np.abs(at.z)))
ZERO_AT_REFERENCE = Form(lambda at: at.f + at.eps * at.z - LN2, lambda at: at.eps - at.s, lambda at: mixed_size(at) + LN2)


@dataclass(frozen=True, slots=True)
class Other:
    """Another loss of the family: its name in a sentence, and its form without label smoothing."""

    key: str
    says: str
    form: Form


def mixed(form: Form) -> Form:
    """(1 - eps) form(z) + eps form(-z)."""

    def value(at: At) -> Floats:
        return (1 - at.eps) * form.value(at) + at.eps * form.value(at.exchanged)

    def slope(at: At) -> Floats:
        assert form.slope is not None
        return (1 - at.eps) * form.slope(at) - at.eps * form.slope(at.exchanged)

    def size(at: At) -> Floats:
        assert form.size is not None
        return (1 - at.eps) * form.size(at) + at.eps * form.size(at.exchanged)

    return Form(value, None if form.slope is None else slope, size)


def _sign_slipped(at: At) -> Floats:
    raised = np.maximum(-at.z, 0)
    return 2 * raised - at.f


OTHERS = (
    Other(
        "hinge",
        "max(0, 1 - z), the hinge loss",
        Form(lambda at: np.maximum(1 - at.z, 0), lambda at: np.where(at.z < 1, -1.0, 0.0), lambda at: 1 + np.abs(at.z)),
    ),
    Other(
        "ipo",
        "(margin - 1/(2 beta))^2, the IPO loss",
        Form(
            lambda at: np.square(at.m - _target(at)),
            lambda at: 2 * (at.m - _target(at)) / (at.beta or np.nan),
            lambda at: np.square(np.abs(at.m) + abs(_target(at))) + (0 if at.beta else math.inf),
        ),
    ),
    Other(
        "exponential",
        "exp(-z), the exponential loss",
        Form(_exp, lambda at: -_exp(at), lambda at: _exp(at) * (1 + np.abs(at.z))),
    ),
    Other(
        "probability",
        "sigma(-z), a probability and not its logarithm",
        Form(lambda at: at.s, lambda at: -at.s * at.t, lambda at: at.s),
    ),
    Other(
        "squared error",
        "sigma(-z)^2, a squared error",
        Form(lambda at: at.s**2, lambda at: -2 * at.s**2 * at.t, lambda at: 2 * at.s**2),
    ),
    Other(
        "max minus log1p",
        "max(-z, 0) - log1p(exp(-|z|)): a sign slipped",
        Form(_sign_slipped, lambda at: at.s - 2.0 * (at.z < 0), lambda at: np.abs(at.z) + at.f),
    ),
    Other(
        "square",
        "(z - 1)^2, a squared error",
        Form(lambda at: np.square(at.z - 1), lambda at: 2 * (at.z - 1), lambda at: np.square(np.abs(at.z) + 1)),
    ),
    Other("logit", "-z itself", Form(lambda at: -at.z, lambda at: np.full_like(at.z, -1.0), lambda at: np.abs(at.z))),
    Other(
        "both orders",
        "softplus(-z) + softplus(z), the loss of both orders",
        Form(lambda at: at.f + at.g, lambda at: at.t - at.s, lambda at: at.f + at.g),
    ),
)
"""What is returned in the place of the sigmoid loss. Whoever builds other losses adds them here."""
REGRESSION = Form(
    lambda at: np.square(at.s - at.eps),
    lambda at: -2 * (at.s - at.eps) * at.s * at.t,
    lambda at: 4 * np.square(at.s + at.eps),
)
