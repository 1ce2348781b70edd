"""The reference: left out, exchanged, added, narrowed, or taken from the policy."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs
from conformance.vectorgen.notes import note

_ALL = ("ReferenceIgnored", "ReferenceIsPolicy", "ReferenceSwapped", "ReferenceSign")
_LONG = (
    ((-896.0, -904.0, -900.0, -900.0), "responses of -900 nats"),
    ((-1216.0, -1248.0, -1232.0, -1224.0), "responses of -1,200 nats"),
    ((-118.0, -124.0, -121.0, -120.0), "responses of -120 nats"),
)

NOTES = {
    "ReferenceIgnored": note(
        "reference misused",
        "The reference, or one half of it, is left out.",
        "Nothing holds the policy near the reference: it is another objective, and its loss does not start at ln 2.",
        "linkedin/Liger-Kernel/pull/405",
        "huggingface/trl/issues/1962",
    ),
    "ReferenceIsPolicy": note(
        "reference misused",
        "The policy's own log-probabilities serve as the reference.",
        "The loss is ln 2 for ever: 0.6931 at every step.",
        "huggingface/trl/issues/1962",
        "OpenRLHF/OpenRLHF/issues/364",
    ),
    "ReferenceSwapped": note(
        "reference misused",
        "The reference's chosen and rejected log-probabilities change places.",
        "Each pair starts with a margin of its own instead of 0, and the policy is pulled towards it.",
    ),
    "ReferenceSign": note(
        "reference misused",
        "The reference is added where it is to be subtracted, or halved.",
        "The policy is pushed away from what the reference finds likely.",
    ),
    "ReferenceNarrow": note(
        "narrow format",
        "The reference log-probabilities were stored in a narrower format than the policy's.",
        "The rewards are not 0 at the first step, and never the right ones.",
        "eric-mitchell/direct-preference-optimization/issues/34",
    ),
    "ReferenceUnderflow": note(
        "overflow",
        "Probabilities of whole responses instead of their logarithms: e^-900 is 0.",
        "Long responses give infinite or NaN losses; short ones do not, so the tests pass.",
    ),
}

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
        *pairs("a reference near 258 and a margin of -4", "ReferenceNarrow", logps=(-259.0, -257.0, -257.0, -259.0), beta=1.0),
        *pairs("a stored reference of 700 nats", logps=(-702.3, -711.9, -701.1, -707.7), beta=0.5, wide=("ReferenceNarrow",)),
        *pairs("a stored reference of 1,500 nats", "ReferenceNarrow", logps=(-1502.25, -1490.5, -1501.75, -1493.5), beta=0.5),
        *(pair(f"no probability: {what}", "ReferenceUnderflow", logps=logps, beta=0.25) for logps, what in _LONG),
    ),
)
