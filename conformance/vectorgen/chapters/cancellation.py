"""Margins of which nearly everything cancels, and sums of numbers of unlike size."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs
from conformance.vectorgen.notes import note

NOTES = {
    "RoundedMargin": note(
        "narrow format",
        "The margin or the log-ratios are rounded to a narrower format before the loss.",
        "Rewards move in steps, of 2 nats for log-probabilities of 500 in bfloat16, or overflow in binary16.",
        "huggingface/trl/issues/878",
    ),
    "RoundedInputs": note(
        "narrow format",
        "The log-probabilities are cut to 11 bits, as TensorFloat-32 or binary16 would.",
        "Two responses whose log-probabilities differ by less than a part in 2,000 are a tie.",
        "huggingface/trl/pull/7084",
        "genlm/genlm-backend/issues/66",
    ),
    "RewardsCancel": note(
        "cancellation",
        "log(e^chosen + e^rejected) - chosen, over rewards: the sum cancels, or overflows.",
        "The loss of won pairs is rounding noise of the size of an ulp of the reward.",
    ),
}

CHAPTER = Chapter(
    "cancellation",
    "Long responses whose margin is small: what is lost before the subtraction is lost for good. What is accepted grows with "
    "the log-ratios and with the pair differences, not with the margin.",
    (
        *pairs(
            "500 nats, log-ratios of -1 and 1",
            logps=(-500.37, -511.9, -499.21, -513.3),
            beta=1.0,
            wide=("RoundedMargin", "RoundedInputs"),
        ),
        *pairs(
            "1,900 nats, log-ratios of -2 and 3",
            "RoundedMargin",
            logps=(-1903.1, -1899.6, -1901.4, -1902.8),
            beta=1.0,
            wide=("RoundedInputs",),
        ),
        *pairs(
            "log-ratios of 77 and 75 nats",
            "RoundedMargin",
            logps=(-611.33, -742.18, -688.47, -816.94),
            beta=1.0,
            wide=("RoundedInputs",),
        ),
        *pairs("unlike sizes, a millinat to 3,000 nats", "RoundedMargin", logps=(-0.0013, -3011.7, -0.0307, -3009.2), beta=0.5),
        *pairs("one long response, one short", "RoundedMargin", logps=(-40.12, -5120.8, -39.77, -5118.3), beta=0.25),
        pair("a margin beyond binary16", "RoundedMargin", logps=(-90112.0, -100.0, -50.0, -100.0)),
        pair("a margin above 100,000, won", "RoundedMargin", logps=(-50.0, -100352.0, -50.0, -100.0), beta=2.0**-12),
        pair("rewards of 16 and -16", "RewardsCancel", logps=(-4.0, -12.0, -8.0, -8.0), beta=4.0),
        pair("rewards of 32 and -32", "RewardsCancel", logps=(-4.0, -12.0, -8.0, -8.0), beta=8.0),
        pair("a reward of -2 against one of -8", "RewardsCancel", logps=(-1.0, -4.0, 0.0, 0.0), beta=2.0),
        pair("a reward of 4 against one of -0.25", "RewardsCancel", logps=(0.0, -0.125, -2.0, 0.0), beta=2.0),
        pair("rewards of -64 and -72: both exponentials are tiny", "RewardsCancel", logps=(-40.0, -44.0, -8.0, -8.0), beta=2.0),
        pair(
            "rewards of 384 and 376: both exponentials overflow", "RewardsCancel", logps=(-8.0, -12.0, -200.0, -200.0), beta=2.0
        ),
    ),
)
