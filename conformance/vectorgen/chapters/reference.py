"""The reference: left out, exchanged, added, narrowed, or taken from the policy."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs

_ALL = ("ReferenceIgnored", "ReferenceIsPolicy", "ReferenceSwapped", "ReferenceSign")
_LONG = (
    ((-896.0, -904.0, -900.0, -900.0), "responses of -900 nats"),
    ((-1216.0, -1248.0, -1232.0, -1224.0), "responses of -1,200 nats"),
    ((-118.0, -124.0, -121.0, -120.0), "responses of -120 nats"),
)

CHAPTER = Chapter(
    "reference",
    "The reference log-probabilities: the loss depends on both, with the sign and at the place that the definition gives.",
    (
        pair("a reference that disagrees with the policy", *_ALL, logps=(-20.0, -25.0, -22.0, -30.0), beta=0.5),
        pair("a reference that prefers the rejected response", *_ALL, logps=(-20.0, -25.0, -31.0, -24.0), beta=0.5),
        pair("a reference that finds the chosen one unlikely", *_ALL, logps=(-14.0, -15.0, -19.0, -13.0), beta=0.25),
        pair("a reference that finds both likely", *_ALL, logps=(-33.0, -37.0, -9.0, -12.0), beta=0.25),
        pair("a lost pair with a reference of its own", *_ALL, logps=(-26.0, -17.0, -20.0, -22.0), beta=0.125),
        pair("only the chosen reference differs", *_ALL, logps=(-20.0, -25.0, -26.0, -25.0), beta=0.5),
        pair("only the rejected reference differs", *_ALL, logps=(-20.0, -25.0, -20.0, -21.0), beta=0.5),
        *pairs("a reference of 258 and a margin of -4", "ReferenceNarrow", logps=(-259.0, -257.0, -257.0, -259.0), beta=1.0),
        *pairs("a stored reference of 700 nats", "ReferenceNarrow", logps=(-702.3, -711.9, -701.1, -707.7), beta=0.5),
        *pairs("a stored reference of 1,500 nats", "ReferenceNarrow", logps=(-1502.25, -1490.5, -1501.75, -1493.5), beta=0.5),
        *(pair(f"no probability: {what}", "ReferenceUnderflow", logps=logps, beta=0.25) for logps, what in _LONG),
    ),
)
