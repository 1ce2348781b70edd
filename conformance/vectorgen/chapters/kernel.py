"""The log-sigmoid kernel alone: beta = 1, and logits fed exactly, so that every subtraction and product is exact."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, Vector, logit, pair
from conformance.vectorgen.notes import note

_START = ("KinkAtZero", "AtReference", "TakenForPadding", "CoarseFunction")
_WON = (
    (0.25, "a quarter: all formulas still agree", "CoarseFunction"),
    (0.5, "a half", "CoarseFunction"),
    (1.0, "one", "CoarseFunction"),
    (2.0, "two", "CoarseFunction"),
    (3.5, "3.5: e^-z is 3 % and its square still counts", "CoarseFunction"),
    (5.0, "five: 0.7 % of a nat is left", "CoarseFunction ClosedForm RoundedLoss"),
    (5.0625, "between the nodes of a table with steps of 1/8", "CoarseFunction"),
    (6.5, "beyond (p + 1) ln 2 of bfloat16: sigmoid(z) rounds to 1", "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm"),
    (
        8.5,
        "beyond (p + 1) ln 2 of binary16: sigmoid(z) rounds to 1",
        "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm RoundedLoss GradientClipped",
    ),
    (9.0, "e^-9 is 1 / 8,103", "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm"),
    (12.0, "e^-12, where binary32 still has all its digits", "CoarseFunction RoundedLoss GradientClipped"),
    (15.5, "beyond a clamp of 15, and normal in three formats", "ClampedLogit NarrowSlope GradientClipped"),
    (16.5, "beyond (p - 1) ln 2 of binary32", "VanishedTail ClampedLogit CancelledSlope ClosedForm"),
    (
        17.5,
        "beyond (p + 1) ln 2 of binary32: sigmoid(z) rounds to 1",
        "LogOfSigmoid AbsorbedTail VanishedTail CancelledSlope ClosedForm NarrowSlope",
    ),
    (20.5, "beyond the usual threshold of 20", "VanishedTail RoundedLoss AbsorbedTail GuardedLog"),
    (25.0, "e^-25", "LogOfSigmoid AbsorbedTail VanishedTail"),
    (30.0, "e^-30", "CoarseFunction NarrowSlope LogOfSigmoid AbsorbedTail"),
    (
        37.5,
        "beyond (p + 1) ln 2 of binary64: sigmoid(z) rounds to 1",
        "LogOfSigmoid AbsorbedTail CancelledSlope ClosedForm VanishedTail GuardedLog",
    ),
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
    (0.0006103515625, "5 / 2^13: the slope differs from 1/2 by z / 4"),
    (0.000732421875, "3 / 2^12: the slope differs from 1/2 by z / 4 once more"),
)
"""Small logits, of both signs."""

_UNEVEN = (
    (0.7310585786300049, "a logit with 53 bits", "CoarseFunction", "CoarseFunction"),
    (3.141592653589793, "pi as a binary64", "CoarseFunction", "CoarseFunction"),
    (11.090354888959125, "16 ln 2: e^z reaches binary16's overflow", "CoarseFunction", "CoarseFunction"),
    (36.7368005696771, "53 ln 2", "LogOfSigmoid", "GuardedLog"),
    (88.72283905206835, "128 ln 2: e^z reaches binary32's overflow", "LogOfSigmoid", "GuardedLog"),
    (709.782712893384, "1024 ln 2: e^z reaches binary64's overflow", "", "GuardedLog"),
)
"""Logits that no narrow format holds, rounded into binary32 and binary64: z, what is there, the bugs at z and at -z."""


def _uneven() -> tuple[Vector, ...]:
    made: list[Vector] = []
    for size, what, won, lost in _UNEVEN:
        for z, side, flags in ((size, "won", won.split()), (-size, "lost", lost.split())):
            made += [logit(z, f"{what}, {side}, in {fmt}", *flags, rounded=fmt) for fmt in ("binary32", "binary64")]
    return tuple(made)


NOTES = {
    "LogOfSigmoid": note(
        "absorption",
        "-log(sigmoid(z)): the sigmoid is rounded to 1 or to 0 before its logarithm is taken.",
        "Well-won pairs report loss 0 and stop teaching; badly lost pairs give an infinite loss and a NaN gradient, and the "
        "step destroys the weights.",
        "thinking-machines-lab/tinker-cookbook/pull/188",
        "jingyaogong/minimind/issues/365",
        "pytorch/pytorch/issues/1835",
    ),
    "GuardedLog": note(
        "threshold",
        "-log(sigmoid(z) + 1e-8), or the sigmoid clamped from below: the loss saturates near 18.4 or 16.1.",
        "The worst pairs, those that matter most, lose their gradient: the loss looks finite and healthy.",
        "thinking-machines-lab/tinker-cookbook/pull/188",
    ),
    "AbsorbedTail": note(
        "absorption",
        "log(1 + e^-z) where log1p(e^-z) is due: 1 absorbs the small term.",
        "The loss of won pairs is coarse, then 0, from a logit of about p ln 2 on; curves flatten that have not.",
        "pytorch/pytorch/issues/20972",
    ),
    "ExpOverflow": note(
        "overflow",
        "log1p(e^-z) or a relative of it: the exponential overflows for lost pairs.",
        "A single badly lost pair makes the loss of the whole batch infinite.",
        "pytorch/pytorch/issues/1835",
        "mindspore-ai/mindspore/issues/390",
    ),
    "LinearTail": note(
        "threshold",
        "-z in the place of the loss beyond a threshold that is too near, 4, 10 or 20.",
        "The loss jumps at the threshold and its slope with it; the error is largest where lost pairs begin to recover.",
        "tenstorrent/tt-metal/issues/53787",
        "pytorch/pytorch/issues/55587",
    ),
    "VanishedTail": note(
        "threshold",
        "0 in the place of the loss of pairs that are won by more than some logit.",
        "Won pairs vanish from the loss and from the gradient earlier than the format asks for.",
    ),
    "ClampedLogit": note(
        "threshold",
        "The logit is clamped, to 15, 50 or 80, so that an exponential cannot overflow.",
        "Beyond the clamp the loss is constant and its gradient 0: the policy can run away from the reference unpunished.",
    ),
    "ClosedForm": note(
        "cancellation",
        "An identity of exact arithmetic, softplus(z) - z, log(2 cosh(z/2)) - z/2 or ln 2 - log1p(tanh(z/2)).",
        "The loss of won pairs is rounding noise, of either sign, and a loss curve below 0 is explained away.",
    ),
    "CoarseFunction": note(
        "narrow format",
        "exp or log1p by a short series, a small table or a linear approximation.",
        "Every loss and gradient is off by a part in a hundred to a part in 65,536: nothing fails, nothing reproduces.",
        "tenstorrent/tt-metal/issues/53787",
    ),
    "RoundedLoss": note(
        "absorption",
        "The loss is rounded to a few decimals, or a small number is added to it.",
        "Small losses are 0 or all equal; comparisons between runs see the rounding alone.",
    ),
    "KinkAtZero": note(
        "wrong gradient",
        "max(-z, 0) + log1p(e^-|z|) by automatic differentiation: at z = 0 one side of the kink is taken for the slope.",
        "Every pair starts at z = 0: the first step has gradient 0, or twice the right one.",
        "jax-ml/jax/issues/2140",
        "jax-ml/jax/issues/2107",
    ),
    "CancelledSlope": note(
        "cancellation",
        "1 - sigmoid(z), or sigmoid(z) (1 - sigmoid(z)) / sigmoid(z), in the place of sigmoid(-z).",
        "The gradient of won pairs is rounding noise and then 0, beyond z = 17 in binary32.",
        "jax-ml/jax/issues/777",
        "jax-ml/jax/issues/40825",
        "tensorflow/tensorflow/issues/126060",
    ),
    "NanBranch": note(
        "wrong gradient",
        "A selection between two formulas by automatic differentiation: the one not taken has the derivative 0 * inf = NaN.",
        "The loss is right and the gradient NaN: one extreme pair turns every weight into NaN.",
        "mst272/LLM-Dojo/issues/23",
    ),
    "SlopeThreshold": note(
        "wrong gradient",
        "The forward and the backward pass switch formula at different logits.",
        "The gradient belongs to another loss in between: line searches and gradient checks fail there.",
        "pytorch/pytorch/issues/61568",
    ),
    "NarrowSlope": note(
        "narrow format",
        "The gradient passes through binary16 on its way back.",
        "Gradients of won pairs underflow to 0, and all others have three digits.",
        "mst272/LLM-Dojo/issues/23",
    ),
}

CHAPTER = Chapter(
    "kernel",
    "The log-sigmoid kernel alone: beta is 1 and one log-probability is -|z|, so that the logit z is exact in every format. "
    "Accepted is what lies within the kernel's bound of the exact value: docs/bounds.md.",
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
