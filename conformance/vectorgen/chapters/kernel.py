"""The log-sigmoid kernel alone: beta = 1, and logits fed exactly, so that every subtraction and product is exact."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, Vector, logit, pair

_START = ("KinkAtZero", "AtReference", "TakenForPadding", "CoarseFunction")
_WON = (
    (0.25, "a quarter: all formulas still agree", "CoarseFunction"),
    (0.5, "a half", "CoarseFunction"),
    (1.0, "one", "CoarseFunction"),
    (2.0, "two", "CoarseFunction"),
    (3.5, "3.5: e^-z is 3 % and its square still counts", "CoarseFunction"),
    (5.0, "five: 0.7 % of a nat is left", "CoarseFunction GradientClipped ClosedForm RoundedLoss"),
    (5.0625, "between the nodes of a table with steps of 1/8", "CoarseFunction"),
    (6.5, "beyond p ln 2 of bfloat16: 1 + e^-z rounds to 1 there", "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm"),
    (8.5, "beyond (p + 1) ln 2 of bfloat16", "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm RoundedLoss GradientClipped"),
    (9.0, "beyond (p + 1) ln 2 of binary16", "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm"),
    (12.0, "e^-12, where binary32 still has all its digits", "CoarseFunction RoundedLoss GradientClipped"),
    (15.5, "beyond a clamp of 15, and normal in three formats", "ClampedLogit NarrowSlope GradientClipped"),
    (16.5, "beyond p ln 2 of binary32 less one bit", "VanishedTail ClampedLogit CancelledSlope ClosedForm"),
    (17.5, "beyond (p + 1) ln 2 of binary32", "LogOfSigmoid AbsorbedTail VanishedTail CancelledSlope ClosedForm NarrowSlope"),
    (20.5, "beyond the usual threshold of 20", "VanishedTail RoundedLoss AbsorbedTail GuardedLog"),
    (25.0, "e^-25", "LogOfSigmoid AbsorbedTail VanishedTail"),
    (30.0, "e^-30", "CoarseFunction NarrowSlope LogOfSigmoid AbsorbedTail"),
    (37.5, "beyond (p + 1) ln 2 of binary64", "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm VanishedTail GuardedLog"),
    (40.5, "beyond a cut at 40", "VanishedTail LogOfSigmoid AbsorbedTail"),
    (51.0, "beyond a clamp of 50", "ClampedLogit"),
    (60.0, "e^-60", "VanishedTail"),
    (81.0, "beyond a clamp of 80", "ClampedLogit VanishedTail"),
    (87.0, "the last whole logit whose loss is normal in binary32", "LogOfSigmoid AbsorbedTail"),
    (96.0, "a subnormal loss in binary32", "NanBranch"),
    (110.0, "underflow in binary32", "NanBranch"),
    (700.0, "a normal loss in binary64", "LogOfSigmoid AbsorbedTail NanBranch"),
    (740.0, "a subnormal loss in binary64", "NanBranch"),
    (800.0, "underflow in binary64", "NanBranch"),
    (16384.0, "far beyond underflow in every format", "NanBranch NearOverflow"),
)
"""z, what is there, the bugs it meets."""

_LOST = (
    (0.25, "minus a quarter", "CoarseFunction"),
    (0.5, "minus a half", "CoarseFunction"),
    (1.0, "minus one", "CoarseFunction"),
    (2.0, "minus two", "CoarseFunction"),
    (4.125, "beyond a threshold of 4: the tail is 1.6 % of a nat", "LinearTail SlopeThreshold"),
    (4.5, "beyond a threshold of 4: the tail is 1.1 % of a nat", "LinearTail SlopeThreshold"),
    (5.0, "beyond a threshold of 4: the tail is 0.7 % of a nat", "LinearTail SlopeThreshold"),
    (10.25, "beyond a threshold of 10", "LinearTail"),
    (10.5, "beyond a threshold of 10, once more", "LinearTail"),
    (12.0, "the loss of a lost pair is its logit and e^-12", "LinearTail ExpOverflow"),
    (15.5, "beyond a clamp of 15, on the lost side", "ClampedLogit ExpOverflow"),
    (17.5, "e^z still fits into every format but binary16, on the lost side", "ExpOverflow"),
    (20.25, "beyond the usual threshold of 20, where binary64 sees it", "LinearTail GuardedLog"),
    (22.0, "beyond the usual threshold of 20, on the lost side", "LinearTail GuardedLog"),
    (25.0, "a lost pair at -25", "LinearTail GuardedLog"),
    (37.5, "a lost pair beyond (p + 1) ln 2 of binary64", "GuardedLog"),
    (51.0, "beyond a clamp of 50, on the lost side", "ClampedLogit GuardedLog"),
    (81.0, "beyond a clamp of 80, on the lost side", "ClampedLogit"),
    (89.0, "e^89 overflows binary32", "LogOfSigmoid ExpOverflow NanBranch GuardedLog ClosedForm"),
    (96.0, "e^96 overflows binary32", "LogOfSigmoid ExpOverflow NanBranch ClosedForm"),
    (110.0, "e^-110 underflows in binary32", "LogOfSigmoid ExpOverflow NanBranch"),
    (300.0, "e^300 fits into binary64 alone", "ExpOverflow NanBranch"),
    (712.0, "e^712 overflows binary64", "LogOfSigmoid ExpOverflow NanBranch ClosedForm"),
    (800.0, "e^-800 underflows in binary64", "LogOfSigmoid ExpOverflow NanBranch GuardedLog ClosedForm"),
    (16384.0, "a pair lost by 16,384", "LogOfSigmoid ExpOverflow NanBranch NearOverflow"),
)
"""-z, what is there, the bugs it meets."""

_FINE = (
    (0.0078125, "2^-7: near the reference, early in training"),
    (0.0006103515625, "5 / 2^13: the curvature of the loss still counts in binary32"),
    (0.000732421875, "3 / 2^12, with the slope 1/2 - z/4"),
)
"""Small logits, of both signs."""

_UNEVEN = (
    (0.7310585786300049, "a logit with 53 bits"),
    (3.141592653589793, "pi as a binary64"),
    (11.090354888959125, "16 ln 2: e^z reaches binary16's overflow"),
    (36.7368005696771, "53 ln 2"),
    (88.72283905206835, "128 ln 2: e^z reaches binary32's overflow"),
    (709.782712893384, "1024 ln 2: e^z reaches binary64's overflow"),
)
"""Logits that no narrow format holds, rounded into binary32 and binary64, of both signs."""


def _uneven() -> tuple[Vector, ...]:
    made = []
    for z, what in _UNEVEN:
        for sign, side in ((1, "won"), (-1, "lost")):
            flags = ("CoarseFunction",) if z < 30 else ("LogOfSigmoid",)
            for fmt in ("binary32", "binary64"):
                made.append(logit(sign * z, f"{what}, {side}, in {fmt}", *flags, rounded=fmt))
    return tuple(made)


CHAPTER = Chapter(
    "kernel",
    "The log-sigmoid kernel alone: beta is 1 and one log-probability is -|z|, so that the logit z is exact in every format. "
    "Accepted is what lies within 8 ulp (binary16, bfloat16) or 16 ulp (binary32, binary64) of the exact value.",
    (
        pair("z = 0: the policy is the reference", *_START, logps=(0.0, 0.0, 0.0, 0.0), beta=1.0),
        *(logit(z, f"z = {z:g}: {what}", *flags.split()) for z, what, flags in _WON),
        *(logit(-z, f"z = {-z:g}: {what}", *flags.split()) for z, what, flags in _LOST),
        *(logit(z, f"z = {what}", "CoarseFunction") for z, what in _FINE),
        *(logit(-z, f"z = -({what})", "CoarseFunction") for z, what in _FINE),
        *_uneven(),
    ),
    bound="kernel",
)
