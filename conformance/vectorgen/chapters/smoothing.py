"""Label smoothing: (1 - eps) f(z) + eps f(-z), conservative DPO."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, logit, pair, pairs
from conformance.vectorgen.notes import note

_FLAGS = (
    "SmoothingIgnored",
    "SmoothingWeights",
    "RobustForConservative",
    "SmoothingSign",
    "SmoothingMoved",
    "SmoothedGradient",
)
_PAIRS = (
    ((-20.0, -27.0, -22.0, -24.0), "margin 5"),
    ((-31.0, -25.0, -30.0, -28.0), "margin -4"),
    ((-12.0, -21.0, -16.0, -15.0), "margin 10"),
)
_EPSILONS = (0.05, 0.1, 0.25, 0.3, 0.5)


def _flags(eps: float) -> tuple[str, ...]:
    """Each mistake where it shows: at eps = 1/2 the weights may be exchanged."""
    clamped = ("SmoothingClamped",) if eps > 0.1 else ()
    return (*_FLAGS, *clamped, *(("SmoothingAtHalf",) if eps == 0.5 else ()))


NOTES = {
    "SmoothingIgnored": note(
        "option ignored",
        "label_smoothing is accepted and not used.",
        "A run configured for noisy labels trains as if they were clean, and nothing says so.",
        "huggingface/trl/pull/3906",
        "huggingface/trl/issues/7063",
    ),
    "RobustForConservative": note(
        "wrong formula",
        "The robust loss, ((1 - eps) f(z) - eps f(-z)) / (1 - 2 eps), where the conservative one is due.",
        "The loss may be negative and has no minimum: well-won pairs are pushed on for ever.",
        "linkedin/Liger-Kernel/pull/1204",
    ),
    "SmoothingWeights": note(
        "option misapplied",
        "eps / 2, or 1 - eps missing, or one of the two terms missing, or their weights exchanged.",
        "The optimum ln((1 - eps) / eps) moves, or is lost.",
    ),
    "SmoothingSign": note(
        "wrong formula",
        "f(z) - eps z where f(z) + eps z is due.",
        "Smoothing pulls pairs apart where it is to hold them back; the loss is unbounded below.",
    ),
    "SmoothingMoved": note(
        "wrong formula",
        "The smoothing is moved inside the loss, f((1 - 2 eps) z), into the probability, or towards ln 2.",
        "Near z = 0 all agree; for well-won pairs the pull back is missing, which is all that smoothing is for.",
    ),
    "SmoothingClamped": note(
        "option misapplied",
        "label_smoothing is clamped to 0.1.",
        "A sweep over label smoothing ends at 0.1 without a word.",
    ),
    "SmoothingAtHalf": note(
        "special value",
        "Somewhere a division by 1 - 2 eps: infinite or NaN at eps = 0.5.",
        "The symmetric control run, which is a plain number, is NaN.",
    ),
    "SmoothingNeverZero": note(
        "option misapplied",
        "A label_smoothing of 0 becomes 1e-3, because another loss needed it to.",
        "Plain DPO is smoothed: far from the reference the loss grows with z where it is to vanish.",
    ),
    "SmoothingRounded": note(
        "narrow format",
        "label_smoothing is rounded to a narrower format than the log-probabilities'.",
        "The loss of well-won pairs, which is eps z and little else, is off by up to 0.2 %.",
    ),
    "SmoothedGradient": note(
        "wrong gradient",
        "The value is smoothed and its gradient is not, or the gradient adds eps where it is to subtract it.",
        "The loss that is printed is not the loss that is trained.",
        "huggingface/trl/pull/3906",
    ),
}

CHAPTER = Chapter(
    "smoothing",
    "Label smoothing, (1 - eps) f(z) + eps f(-z): ignored, halved, moved or turned into the robust loss, each gives another "
    "number. At a margin of 0 all of them agree: one test is there, the others are far from it.",
    (
        *(
            pair(f"eps {eps:g}, beta {beta:g}, {what}", *_flags(eps), logps=logps, beta=beta, eps=eps)
            for eps in _EPSILONS
            for beta in (0.5, 2.0)
            for logps, what in _PAIRS
        ),
        pair(
            "eps 0.001: a little smoothing, far from the reference", *_FLAGS[:2], logps=(-9.0, -41.0, -17.0, -17.0), eps=0.001
        ),
        pair("eps 0 is no smoothing: margin 24", "SmoothingNeverZero", logps=(-9.0, -41.0, -13.0, -21.0), beta=0.5),
        pair("eps 0 is no smoothing: margin 12", "SmoothingNeverZero", logps=(-9.0, -29.0, -13.0, -21.0), beta=0.5),
        pair("eps 0 is no smoothing: margin 40, beta 2", "SmoothingNeverZero", logps=(-9.0, -61.0, -13.0, -25.0), beta=2.0),
        logit(40.0, "eps 0.1 at z = 40: the loss is eps z", *_FLAGS[:4], "SmoothingRounded", eps=0.1),
        logit(200.0, "eps 0.3 at z = 200: the loss is eps z", *_FLAGS[:4], "SmoothingRounded", "SmoothingClamped", eps=0.3),
        logit(-200.0, "eps 0.3 at z = -200: the loss is -(1 - eps) z", *_FLAGS[:4], "SmoothingRounded", eps=0.3),
        logit(2048.0, "eps 0.1 at z = 2,048: far from overflow", "SmoothingIgnored", "SmoothingRounded", eps=0.1),
        logit(-90.0, "eps 0.1 at z = -90, where e^90 overflows binary32", "SmoothingIgnored", "ExpOverflow", eps=0.1),
        pair("eps 0.1 at z = 0: ln 2 whatever eps is", "AtReference", logps=(-7.0, -9.5, -7.0, -9.5), beta=1.0, eps=0.1),
        *pairs(
            "eps 0.1, a realistic pair", "SmoothingIgnored", "SmoothedGradient", logps=(-88.73, -131.2, -97.35, -104.9), eps=0.1
        ),
        *pairs("eps 0.2, a lost pair", "SmoothingIgnored", "SmoothedGradient", logps=(-240.6, -180.3, -205.1, -201.7), eps=0.2),
        *pairs(
            "eps 0.1, a long pair", "SmoothingIgnored", "NarrowInside", logps=(-2210.5, -2344.75, -2251.3, -2290.1), eps=0.1
        ),
    ),
)
