"""Very long responses, very small and very large beta, numbers near overflow."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs
from conformance.vectorgen.notes import note

_LONG = (
    ((-20000.0, -19968.0, -20032.0, -19968.0), 0.5, "20,000 nats"),
    ((-14592.0, -14720.0, -14656.0, -14720.0), 0.125, "14,600 nats"),
    ((-49152.0, -49408.0, -49152.0, -49152.0), 0.01, "49,000 nats, near the end of binary16"),
    ((-98304.0, -99328.0, -98816.0, -98816.0), 0.01, "98,000 nats, beyond binary16"),
)
_LARGEST = (-(2.0**1022), -(2.0**1015), 0.0, 0.0)

NOTES = {
    "ClampedLogps": note(
        "threshold",
        "Log-probabilities below -100, or below -10,000, count as that.",
        "Long responses are all equally likely: their pairs are ties.",
        "huggingface/trl/issues/878",
    ),
    "NearOverflow": note(
        "overflow",
        "An exponential of a reward, or a formula that squares or doubles, overflows before the result does.",
        "Finite log-probabilities give an infinite or NaN loss.",
        "mindspore-ai/mindspore/issues/390",
    ),
    "ExtremeBeta": note(
        "option misapplied",
        "A very small or a very large beta is rounded, clamped or flushed.",
        "Runs at the ends of a sweep are not what they say.",
    ),
}

CHAPTER = Chapter(
    "extreme",
    "Very long responses, beta from 10^-6 to 1,000, and log-probabilities near overflow, wherever nothing on the way to the "
    "logit overflows.",
    (
        *(pair(f"responses of {what}", "ClampedLogps", logps=logps, beta=beta) for logps, beta, what in _LONG),
        pair(
            "a chosen response of -120 nats, a rejected one of -160",
            "ClampedLogps",
            logps=(-120.0, -160.0, -140.0, -140.0),
            beta=0.5,
        ),
        pair("a lost pair of -150 nats", "ClampedLogps", logps=(-150.0, -140.0, -144.0, -148.0), beta=0.5),
        *pairs("beta 1e-6 and a margin of 40,000", "ExtremeBeta", logps=(-1003.5, -41017.0, -1001.2, -1013.3), beta=1e-6),
        *pairs("beta 0.001 and a margin of 2,000", "ExtremeBeta", logps=(-1003.5, -3017.0, -1001.2, -1013.3), beta=0.001),
        *pairs("beta 30 and a margin of 0.2", "ExtremeBeta", logps=(-3.417, -5.162, -3.481, -5.027), beta=30.0),
        *pairs("beta 1,000 and a margin of -0.02", "ExtremeBeta", logps=(-3.417, -3.162, -3.481, -3.247), beta=1000.0),
        pair("binary16 near overflow, lost", "NearOverflow", logps=(-24576.0, -1024.0, -512.0, -256.0), beta=1.0),
        pair("binary16 near overflow, won", "NearOverflow", logps=(-1024.0, -24576.0, -512.0, -256.0), beta=2.0**-8),
        pair(
            "binary32 and bfloat16 near overflow, lost",
            "NearOverflow",
            logps=(-(2.0**126), -(2.0**120), 0.0, -(2.0**118)),
            beta=1.0,
        ),
        pair(
            "binary32 near overflow, a logit of -31.5",
            logps=(-(2.0**126), 0.0, -(2.0**120), 0.0),
            beta=2.0**-121,
        ),
        *(
            pair(f"binary64 near overflow, {what}", "NearOverflow", logps=_LARGEST, beta=beta, rounded="binary64")
            for beta, what in ((1.0, "lost"), (2.0**-8, "beta 2^-8"))
        ),
    ),
)
