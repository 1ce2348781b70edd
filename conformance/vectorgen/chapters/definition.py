"""The loss from four log-probabilities: worked examples, and pairs as training meets them."""

from __future__ import annotations

from conformance.vectorgen.model import Chapter, pair, pairs
from conformance.vectorgen.notes import note

_FORMULA = ("WrongObjective", "WrongSign", "WrongScale", "PairSwapped")
_GOLDEN = (
    ((-10.0, -12.0, -11.0, -11.0), "margin 2"),
    ((-20.0, -25.0, -19.0, -19.0), "margin 5, where the policy lost log-probability on both sides"),
    ((-5.0, -9.0, -5.0, -5.0), "margin 4, all of it from the rejected response"),
)
_TUTORIAL = (
    ((-45.0, -48.0, -46.0, -47.0), "log-ratios 1 and -1"),
    ((-50.0, -52.0, -51.0, -51.0), "log-ratios 1 and -1 with another reference"),
    ((-48.0, -46.0, -49.0, -47.0), "log-ratios 1 and 1: a tie away from the reference"),
    ((-52.0, -55.0, -53.0, -54.0), "log-ratios 1 and -1 in a longer pair"),
)
_PAIRS = (
    ((-20.0, -27.0, -22.0, -24.0), "margin 5, log-ratios 2 and -3"),
    ((-31.0, -25.0, -30.0, -28.0), "margin -4, log-ratios -1 and 3"),
    ((-12.0, -18.0, -16.0, -15.0), "margin 7, log-ratios 4 and -3"),
    ((-40.0, -38.0, -37.0, -38.5), "margin -3.5, log-ratios -3 and 0.5"),
)
_REALISTIC = (
    ((-143.27, -151.94, -140.02, -147.63), "an answer of 120 tokens, little moved"),
    ((-312.58, -160.11, -318.4, -157.92), "a chosen answer twice as long as the rejected one"),
    ((-3.417, -5.162, -4.081, -4.277), "an answer of a few tokens"),
    ((-88.73, -131.2, -97.35, -104.9), "a summary late in training, well won"),
    ((-240.6, -180.3, -205.1, -201.7), "a pair that was lost as training went on"),
    ((-2210.5, -2344.75, -2251.3, -2290.1), "an answer of 2,000 tokens"),
    ((-18211.3, -19022.8, -18190.4, -19011.2), "a document of 20,000 tokens"),
    ((-0.1327, -9.482, -0.2251, -8.917), "a certain answer against an unlikely one"),
)

NOTES = {
    "WrongObjective": note(
        "wrong formula",
        "Another loss of the family, hinge, IPO or exponential, answers under the name of this one.",
        "The run optimises something else than its configuration says; the curves look plausible.",
        "modelscope/ms-swift/pull/10167",
    ),
    "WrongSign": note(
        "wrong formula",
        "softplus(z) where softplus(-z) is due, or log-sigmoid without its minus.",
        "The policy learns to prefer what was rejected, or the loss falls without bound.",
        "tensorflow/tensorflow/issues/3719",
    ),
    "WrongScale": note(
        "wrong formula",
        "The loss in bits, halved, or multiplied by another constant.",
        "The learning rate is not what it says, and losses cannot be compared with published ones.",
        "huggingface/trl/issues/2615",
    ),
    "AtReference": note(
        "wrong formula",
        "The loss where the policy is the reference is not ln 2.",
        "The one number that everyone can check at the first step, 0.6931, is wrong, and the baseline of every curve with it.",
        "allenai/open-instruct/issues/1900",
        "NVIDIA/NeMo-Aligner/issues/227",
        "eric-mitchell/direct-preference-optimization/issues/34",
    ),
    "TakenForPadding": note(
        "special value",
        "A margin of 0, or a log-probability of 0, is taken for a masked row.",
        "Pairs at the reference, which is where all training starts, count as loss 0 and teach nothing.",
        "NVIDIA-NeMo/RL/issues/180",
    ),
    "PairSwapped": note(
        "pair confused",
        "Chosen and rejected change places, in the policy or in both.",
        "The policy learns to prefer what was rejected.",
    ),
    "AbsoluteMargin": note(
        "pair confused",
        "|margin|, or max(margin, 0): a lost pair counts as won, or as a tie.",
        "Lost pairs are pushed further the wrong way, or teach nothing.",
    ),
    "HalfOfPair": note(
        "pair confused",
        "Only the chosen, or only the rejected log-ratio enters, or the two are added.",
        "The loss is no longer a preference: it is likelihood training of one side.",
    ),
    "LengthNormalised": note(
        "wrong formula",
        "The margin is divided by a length, where sums of log-probabilities are due.",
        "beta means something else for every response length; published results could not be reproduced.",
        "huggingface/trl/issues/1265",
        "linkedin/Liger-Kernel/issues/676",
    ),
    "NarrowInside": note(
        "narrow format",
        "The loss is computed in a narrower format than its inputs', or rounded to one, by a cast or an autocast.",
        "Differences of long log-probabilities lose all their digits: rewards are noise, or NaN where binary16 overflows.",
        "huggingface/trl/issues/878",
        "huggingface/trl/pull/7084",
    ),
}

CHAPTER = Chapter(
    "definition",
    "The loss end to end, from four log-probabilities at beta = 0.1 and larger, on worked examples and on realistic pairs. "
    "Accepted is what any sensible order of the subtractions, and a kernel at its bound, may return.",
    (
        *(pair(f"golden example, {what}", *_FORMULA, logps=logps) for logps, what in _GOLDEN),
        *(pair(f"tutorial, {what}", *_FORMULA, logps=logps) for logps, what in _TUTORIAL),
        *(pair(f"beta 0.5, {what}", *_FORMULA, "HalfOfPair", logps=logps, beta=0.5) for logps, what in _PAIRS),
        *(
            pair(f"beta 2, {what}", "LengthNormalised", logps=logps, beta=2.0)
            for logps, what in _PAIRS
            if "margin -" not in what
        ),
        *(
            pair(f"beta 2, {what}", "LengthNormalised", "AbsoluteMargin", logps=logps, beta=2.0)
            for logps, what in _PAIRS
            if "margin -" in what
        ),
        pair("policy equal to the reference, short", "AtReference", "TakenForPadding", logps=(-7.0, -9.5, -7.0, -9.5)),
        pair("policy equal to the reference, long", "AtReference", logps=(-912.0, -1184.0, -912.0, -1184.0), beta=0.5),
        pair("policy equal to the reference, beta 1", "AtReference", logps=(-64.5, -33.0, -64.5, -33.0), beta=1.0),
        pair("a chosen log-probability of 0", "TakenForPadding", logps=(0.0, -2.0, -1.0, -1.0), beta=0.5),
        pair("a rejected log-probability of 0", logps=(-2.0, 0.0, -1.0, -0.5), beta=0.5),
        *(v for logps, what in _REALISTIC for v in pairs(what, "NarrowInside", logps=logps)),
        *(v for logps, what in _REALISTIC[:4] for v in pairs(f"beta 1, {what}", "NarrowInside", logps=logps, beta=1.0)),
    ),
)
