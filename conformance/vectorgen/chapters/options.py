"""beta: every value of it gives its own loss."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs
from conformance.vectorgen.notes import note

_TELLING = (
    ((-20.0, -27.0, -22.0, -24.0), "margin 5"),
    ((-31.0, -25.0, -30.0, -28.0), "margin -4"),
    ((-12.0, -21.0, -16.0, -15.0), "margin 10"),
)
"""Every log-ratio non-zero, both signs of the margin: each usual mistake moves the loss by far more than any bound."""
_BETAS = (0.01, 0.05, 0.25, 0.5, 2.0, 4.0)
_MISTAKES = ("BetaIgnored", "BetaTwice", "BetaInverse", "BetaMisplaced")

NOTES = {
    "BetaIgnored": note(
        "option ignored",
        "beta is accepted and not used: it is 1, or the default of 0.1, whatever the caller says.",
        "A sweep over beta gives one curve many times.",
        "huggingface/trl/issues/6123",
    ),
    "BetaTwice": note(
        "option misapplied",
        "beta^2 or its root: beta is applied to the margin and again to the logit.",
        "At beta = 0.1 the policy is held ten times less than asked for, and drifts from the reference.",
        "AI-Hypercomputer/maxtext/pull/1530",
    ),
    "BetaInverse": note(
        "option misapplied",
        "margin / beta, as if beta were a temperature.",
        "At beta = 0.1 the logit is a hundred times too large: the loss saturates within a few steps.",
        "linkedin/Liger-Kernel/pull/378",
    ),
    "BetaMisplaced": note(
        "option misapplied",
        "beta scales the loss, or one log-ratio, or the policy's difference alone.",
        "The reference and the policy are weighed against each other by accident.",
    ),
    "BetaClamped": note(
        "option misapplied",
        "beta is held within a range that its caller does not know.",
        "Runs with beta outside that range silently train with another.",
    ),
    "BetaZero": note(
        "option ignored",
        "`beta or default`: a beta of 0 becomes the default.",
        "The control run without a preference signal has one.",
    ),
    "BetaRounded": note(
        "narrow format",
        "beta is rounded to two decimals, or to a narrower format than the log-probabilities'.",
        "0.001 becomes 0, or every logit is off by up to 0.2 %, by an amount that depends on beta.",
    ),
}

CHAPTER = Chapter(
    "options",
    "beta: ignored, applied twice, inverted, misplaced, clamped or rounded, each gives another loss. 1 is not among the "
    "values, because at 1 most of these mistakes are right.",
    (
        *(
            pair(f"beta {beta:g}, {what}", *_MISTAKES, *(("BetaClamped",) if beta > 1 else ()), logps=logps, beta=beta)
            for beta in _BETAS
            for logps, what in _TELLING
        ),
        pair("beta 0: ln 2 and no gradient", "BetaZero", logps=(-20.0, -27.0, -22.0, -24.0), beta=0.0),
        pair("beta 0, a lost pair", "BetaZero", logps=(-31.0, -25.0, -30.0, -28.0), beta=0.0),
        pair("beta 0.001 and a margin near 1,000", "BetaRounded", "BetaClamped", logps=(-1.0, -1000.0, -2.0, -2.0), beta=0.001),
        pair("beta 0.125, whose two decimals are 0.12", "BetaRounded", logps=(-8.0, -264.0, -16.0, -16.0), beta=0.125),
        pair("beta 0.003 and a margin of 768", "BetaRounded", "BetaClamped", logps=(-32.0, -832.0, -64.0, -96.0), beta=0.003),
        *pairs("beta 0.1 and a margin of 400", "BetaRounded", logps=(-100.3, -520.7, -110.2, -130.9), beta=0.1),
        *pairs("beta 0.05 and a margin of 500", "BetaRounded", logps=(-2.25, -501.4, -3.125, -2.51), beta=0.05),
        *pairs("beta 0.3 and a margin of -80", "BetaRounded", logps=(-101.7, -20.3, -31.9, -30.6), beta=0.3),
    ),
)
