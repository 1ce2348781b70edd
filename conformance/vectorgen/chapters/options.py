"""beta: every value of it gives its own loss."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs

_TELLING = (
    ((-20.0, -27.0, -22.0, -24.0), "margin 5"),
    ((-31.0, -25.0, -30.0, -28.0), "margin -4"),
    ((-12.0, -21.0, -16.0, -15.0), "margin 10"),
)
"""Every log-ratio non-zero, both signs of the margin: each usual mistake moves the loss by far more than any bound."""
_BETAS = (0.01, 0.05, 0.25, 0.5, 2.0, 4.0)
_MISTAKES = ("BetaIgnored", "BetaTwice", "BetaInverse", "BetaMisplaced")

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
        pair("beta 0.001 and a margin of 1,000", "BetaRounded", "BetaClamped", logps=(-1.0, -1000.0, -2.0, -2.0), beta=0.001),
        pair("beta 0.125, whose two decimals are 0.12", "BetaRounded", logps=(-8.0, -264.0, -16.0, -16.0), beta=0.125),
        pair("beta 0.003 and a margin of 768", "BetaRounded", "BetaClamped", logps=(-32.0, -832.0, -64.0, -96.0), beta=0.003),
        *pairs("beta 0.1 and a margin of 400", "BetaRounded", logps=(-100.3, -520.7, -110.2, -130.9), beta=0.1),
        *pairs("beta 0.05 and a margin of 500", "BetaRounded", logps=(-2.25, -501.4, -3.125, -2.51), beta=0.05),
        *pairs("beta 0.3 and a margin of -80", "BetaRounded", logps=(-101.7, -20.3, -31.9, -30.6), beta=0.3),
    ),
)
