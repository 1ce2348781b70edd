"""The derivatives in the log-probabilities: signs, scale, clipping, detaching."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs
from conformance.vectorgen.notes import note

_ALL = ("GradientSign", "GradientScale", "GradientDetached")

NOTES = {
    "GradientSign": note(
        "wrong gradient",
        "The derivatives, or those of one side, have the wrong sign, or are returned in another order.",
        "Chosen and rejected rise or fall together; the loss falls all the same, by the larger of the two.",
    ),
    "GradientScale": note(
        "wrong gradient",
        "The derivative in z where that in a log-probability is due: beta is missing; or one side is doubled.",
        "At beta = 0.1 every step is ten times too long.",
        "huggingface/trl/issues/2617",
    ),
    "GradientClipped": note(
        "wrong gradient",
        "The derivative is clipped, floored, or cut to 0 for won pairs.",
        "Lost pairs recover at a constant pace; won pairs are pushed for ever, or let go too early.",
    ),
    "GradientDetached": note(
        "wrong gradient",
        "The losses, or one side of the policy, are detached.",
        "The loss is right at every step and does not fall, or half of the signal is gone.",
        "jingyaogong/minimind/issues/430",
        "OpenRLHF/OpenRLHF/issues/364",
    ),
}

CHAPTER = Chapter(
    "gradient",
    "The derivatives: -beta (sigma(-z) - eps) in policy_chosen_logps and ref_rejected_logps, its negative in the other two.",
    (
        pair("beta 0.1, slope near a half", *_ALL, logps=(-10.0, -12.0, -11.0, -11.0)),
        pair("beta 0.5, a pair won by a little", *_ALL, logps=(-20.0, -24.0, -21.0, -22.0), beta=0.5),
        pair("beta 0.5, a pair lost by a little", *_ALL, "GradientClipped", logps=(-24.0, -20.0, -22.0, -21.0), beta=0.5),
        pair("beta 2, a pair lost by much", *_ALL, "GradientClipped", logps=(-41.0, -25.0, -30.0, -28.0), beta=2.0),
        pair("beta 2, a pair won by 6: no hinge", *_ALL, "GradientClipped", logps=(-20.0, -25.0, -22.0, -24.0), beta=2.0),
        pair(
            "beta 4, a pair won by 8: a slope of e^-8",
            *_ALL,
            "GradientClipped",
            logps=(-20.0, -24.0, -22.0, -24.0),
            beta=4.0,
        ),
        pair("beta 0.01, where z is small", *_ALL, logps=(-80.0, -97.0, -72.0, -93.0), beta=0.01),
        pair("eps 0.2, the slope less eps", "GradientSign", "SmoothedGradient", logps=(-20.0, -27.0, -22.0, -24.0), eps=0.2),
        pair("eps 0.2, past the optimum: the sign turns", "SmoothedGradient", logps=(-20.0, -67.0, -22.0, -24.0), eps=0.2),
        pair("at the reference with beta 0.5: beta / 2", "KinkAtZero", *_ALL, logps=(-7.0, -9.5, -7.0, -9.5), beta=0.5),
        pair("at the reference with beta 0.1, long", "KinkAtZero", *_ALL, logps=(-912.0, -1184.0, -912.0, -1184.0)),
        *pairs("a realistic gradient, beta 0.1", *_ALL, logps=(-312.58, -170.11, -318.4, -157.92)),
        *pairs("a realistic gradient, beta 0.5", *_ALL, logps=(-143.27, -151.94, -140.02, -147.63), beta=0.5),
    ),
)
