"""The flags: the kinds of bug that vectors meet, what each does to a training run, and where it was met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BUGS = (
    "absorption",
    "cancellation",
    "overflow",
    "threshold",
    "wrong formula",
    "option ignored",
    "option misapplied",
    "reference misused",
    "pair confused",
    "wrong gradient",
    "special value",
    "narrow format",
    "wrong reduction",
)
"""The kinds of bug."""
_GITHUB = "https://github.com/"


@dataclass(frozen=True, slots=True)
class Note:
    """bug: one of BUGS. description: what the code does. effect: what that does to a training run. links: threads."""

    bug: str
    description: str
    effect: str
    links: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON's own types."""
        return {"bug": self.bug, "description": self.description, "effect": self.effect, "links": list(self.links)}


def _note(bug: str, description: str, effect: str, *links: str) -> Note:
    return Note(bug, description, effect, tuple(_GITHUB + link for link in links))


NOTES: dict[str, Note] = {
    # -- the kernel ----------------------------------------------------------------------------------------------------
    "LogOfSigmoid": _note(
        "absorption",
        "-log(sigmoid(z)): the sigmoid is rounded to 1 or to 0 before its logarithm is taken.",
        "Well-won pairs report loss 0 and stop teaching; badly lost pairs give an infinite loss and a NaN gradient, and the "
        "step destroys the weights.",
        "thinking-machines-lab/tinker-cookbook/pull/188",
        "jingyaogong/minimind/issues/365",
        "pytorch/pytorch/issues/1835",
    ),
    "GuardedLog": _note(
        "threshold",
        "-log(sigmoid(z) + 1e-8), or the sigmoid clamped from below: the loss saturates near 18.4 or 16.1.",
        "The worst pairs, those that matter most, lose their gradient: the loss looks finite and healthy.",
        "thinking-machines-lab/tinker-cookbook/pull/188",
    ),
    "AbsorbedTail": _note(
        "absorption",
        "log(1 + e^-z) where log1p(e^-z) is due: 1 absorbs the small term.",
        "The loss of won pairs is coarse, then 0, from a logit of about p ln 2 on; curves flatten that have not.",
        "pytorch/pytorch/issues/20972",
    ),
    "ExpOverflow": _note(
        "overflow",
        "log1p(e^-z) or a relative of it: the exponential overflows for lost pairs.",
        "A single badly lost pair makes the loss of the whole batch infinite.",
        "pytorch/pytorch/issues/1835",
        "mindspore-ai/mindspore/issues/390",
    ),
    "LinearTail": _note(
        "threshold",
        "-z in the place of the loss beyond a threshold that is too near, 4, 10 or 20.",
        "The loss jumps at the threshold and its slope with it; the error is largest where lost pairs begin to recover.",
        "tenstorrent/tt-metal/issues/53787",
        "pytorch/pytorch/issues/55587",
    ),
    "VanishedTail": _note(
        "threshold",
        "0 in the place of the loss of pairs that are won by more than some logit.",
        "Won pairs vanish from the loss and from the gradient earlier than the format asks for.",
    ),
    "ClampedLogit": _note(
        "threshold",
        "The logit is clamped, to 15, 50 or 80, so that an exponential cannot overflow.",
        "Beyond the clamp the loss is constant and its gradient 0: the policy can run away from the reference unpunished.",
    ),
    "ClosedForm": _note(
        "cancellation",
        "An identity of exact arithmetic, softplus(z) - z, log(2 cosh(z/2)) - z/2 or ln 2 - log1p(tanh(z/2)).",
        "The loss of won pairs is rounding noise, of either sign, and a loss curve below 0 is explained away.",
    ),
    "CoarseFunction": _note(
        "narrow format",
        "exp or log1p by a short series, a small table or a linear approximation.",
        "Every loss and gradient is off by a part in a hundred to a part in 65,536: nothing fails, nothing reproduces.",
        "tenstorrent/tt-metal/issues/53787",
    ),
    "RoundedLoss": _note(
        "absorption",
        "The loss is rounded to a few decimals, or a small number is added to it.",
        "Small losses are 0 or all equal; comparisons between runs see the rounding alone.",
    ),
    "KinkAtZero": _note(
        "wrong gradient",
        "max(-z, 0) + log1p(e^-|z|) by automatic differentiation: at z = 0 one side of the kink is taken for the slope.",
        "Every pair starts at z = 0: the first step has gradient 0, or twice the right one.",
        "jax-ml/jax/issues/2140",
        "jax-ml/jax/issues/2107",
    ),
    "CancelledSlope": _note(
        "cancellation",
        "1 - sigmoid(z), or sigmoid(z) (1 - sigmoid(z)) / sigmoid(z), in the place of sigmoid(-z).",
        "The gradient of won pairs is rounding noise and then 0, beyond z = 17 in binary32.",
        "jax-ml/jax/issues/777",
        "jax-ml/jax/issues/40825",
        "tensorflow/tensorflow/issues/126060",
    ),
    "NanBranch": _note(
        "wrong gradient",
        "A selection between two formulas by automatic differentiation: the one not taken has the derivative 0 * inf = NaN.",
        "The loss is right and the gradient NaN: one extreme pair turns every weight into NaN.",
        "mst272/LLM-Dojo/issues/23",
    ),
    "SlopeThreshold": _note(
        "wrong gradient",
        "The forward and the backward pass switch formula at different logits.",
        "The gradient belongs to another loss in between: line searches and gradient checks fail there.",
        "pytorch/pytorch/issues/61568",
    ),
    "NarrowSlope": _note(
        "narrow format",
        "The gradient passes through binary16 on its way back.",
        "Gradients of won pairs underflow to 0, and all others have three digits.",
        "mst272/LLM-Dojo/issues/23",
    ),
    # -- the definition ------------------------------------------------------------------------------------------------
    "WrongObjective": _note(
        "wrong formula",
        "Another loss of the family, hinge, IPO or exponential, answers under the name of this one.",
        "The run optimises something else than its configuration says; the curves look plausible.",
        "modelscope/ms-swift/pull/10167",
    ),
    "WrongSign": _note(
        "wrong formula",
        "softplus(z) where softplus(-z) is due, or log-sigmoid without its minus.",
        "The policy learns to prefer what was rejected, or the loss falls without bound.",
        "tensorflow/tensorflow/issues/3719",
    ),
    "WrongScale": _note(
        "wrong formula",
        "The loss in bits, halved, or multiplied by another constant.",
        "The learning rate is not what it says, and losses cannot be compared with published ones.",
        "huggingface/trl/issues/2615",
    ),
    "AtReference": _note(
        "wrong formula",
        "The loss where the policy is the reference is not ln 2.",
        "The one number that everyone can check at the first step, 0.6931, is wrong, and the baseline of every curve with it.",
        "allenai/open-instruct/issues/1900",
        "NVIDIA/NeMo-Aligner/issues/227",
        "eric-mitchell/direct-preference-optimization/issues/34",
    ),
    "TakenForPadding": _note(
        "special value",
        "A margin of 0, or a log-probability of 0, is taken for a masked row.",
        "Pairs at the reference, which is where all training starts, count as loss 0 and teach nothing.",
        "NVIDIA-NeMo/RL/issues/180",
    ),
    "PairSwapped": _note(
        "pair confused",
        "Chosen and rejected change places, in the policy or in both.",
        "The policy learns to prefer what was rejected.",
    ),
    "AbsoluteMargin": _note(
        "pair confused",
        "|margin|, or max(margin, 0): a lost pair counts as won, or as a tie.",
        "Lost pairs are pushed further the wrong way, or teach nothing.",
    ),
    "HalfOfPair": _note(
        "pair confused",
        "Only the chosen, or only the rejected log-ratio enters, or the two are added.",
        "The loss is no longer a preference: it is likelihood training of one side.",
    ),
    "LengthNormalised": _note(
        "wrong formula",
        "The margin is divided by a length, where sums of log-probabilities are due.",
        "beta means something else for every response length; published results could not be reproduced.",
        "huggingface/trl/issues/1265",
        "linkedin/Liger-Kernel/issues/676",
    ),
    "NarrowInside": _note(
        "narrow format",
        "The loss is computed in a narrower format than its inputs', or rounded to one, by a cast or an autocast.",
        "Differences of long log-probabilities lose all their digits: rewards are noise, or NaN where binary16 overflows.",
        "huggingface/trl/issues/878",
        "huggingface/trl/pull/7084",
    ),
    # -- options -------------------------------------------------------------------------------------------------------
    "BetaIgnored": _note(
        "option ignored",
        "beta is accepted and not used: it is 1, or the default of 0.1, whatever the caller says.",
        "A sweep over beta gives one curve many times.",
        "huggingface/trl/issues/6123",
    ),
    "BetaTwice": _note(
        "option misapplied",
        "beta^2 or its root: beta is applied to the margin and again to the logit.",
        "At beta = 0.1 the policy is held ten times less than asked for, and drifts from the reference.",
        "AI-Hypercomputer/maxtext/pull/1530",
    ),
    "BetaInverse": _note(
        "option misapplied",
        "margin / beta, as if beta were a temperature.",
        "At beta = 0.1 the logit is a hundred times too large: the loss saturates within a few steps.",
        "linkedin/Liger-Kernel/pull/378",
    ),
    "BetaMisplaced": _note(
        "option misapplied",
        "beta scales the loss, or one log-ratio, or the policy's difference alone.",
        "The reference and the policy are weighed against each other by accident.",
    ),
    "BetaClamped": _note(
        "option misapplied",
        "beta is held within a range that its caller does not know.",
        "Runs with beta outside that range silently train with another.",
    ),
    "BetaZero": _note(
        "option ignored",
        "`beta or default`: a beta of 0 becomes the default.",
        "The control run without a preference signal has one.",
    ),
    "BetaRounded": _note(
        "narrow format",
        "beta is rounded to two decimals, or to a narrower format than the log-probabilities'.",
        "0.001 becomes 0, or every logit is off by up to 0.2 %, by an amount that depends on beta.",
    ),
    # -- the reference -------------------------------------------------------------------------------------------------
    "ReferenceIgnored": _note(
        "reference misused",
        "The reference, or one half of it, is left out.",
        "Nothing holds the policy near the reference: it is another objective, and its loss does not start at ln 2.",
        "linkedin/Liger-Kernel/pull/405",
        "huggingface/trl/issues/1962",
    ),
    "ReferenceIsPolicy": _note(
        "reference misused",
        "The policy's own log-probabilities serve as the reference.",
        "The loss is ln 2 for ever: 0.6931 at every step.",
        "huggingface/trl/issues/1962",
        "OpenRLHF/OpenRLHF/issues/364",
    ),
    "ReferenceSwapped": _note(
        "reference misused",
        "The reference's chosen and rejected log-probabilities change places.",
        "Each pair starts with a margin of its own instead of 0, and the policy is pulled towards it.",
    ),
    "ReferenceSign": _note(
        "reference misused",
        "The reference is added where it is to be subtracted, or halved.",
        "The policy is pushed away from what the reference finds likely.",
    ),
    "ReferenceNarrow": _note(
        "narrow format",
        "The reference log-probabilities were stored in a narrower format than the policy's.",
        "The rewards are not 0 at the first step, and never the right ones.",
        "eric-mitchell/direct-preference-optimization/issues/34",
    ),
    "ReferenceUnderflow": _note(
        "overflow",
        "Probabilities of whole responses instead of their logarithms: e^-900 is 0.",
        "Long responses give infinite or NaN losses; short ones do not, so the tests pass.",
    ),
    # -- label smoothing -----------------------------------------------------------------------------------------------
    "SmoothingIgnored": _note(
        "option ignored",
        "label_smoothing is accepted and not used.",
        "A run configured for noisy labels trains as if they were clean, and nothing says so.",
        "huggingface/trl/pull/3906",
        "huggingface/trl/issues/7063",
    ),
    "RobustForConservative": _note(
        "wrong formula",
        "The robust loss, ((1 - eps) f(z) - eps f(-z)) / (1 - 2 eps), where the conservative one is due.",
        "The loss may be negative and has no minimum: well-won pairs are pushed on for ever.",
        "linkedin/Liger-Kernel/pull/1204",
    ),
    "SmoothingWeights": _note(
        "option misapplied",
        "eps / 2, or 1 - eps missing, or one of the two terms missing, or their weights exchanged.",
        "The optimum ln((1 - eps) / eps) moves, or is lost.",
    ),
    "SmoothingSign": _note(
        "wrong formula",
        "f(z) - eps z where f(z) + eps z is due.",
        "Smoothing pulls pairs apart where it is to hold them back; the loss is unbounded below.",
    ),
    "SmoothingMoved": _note(
        "wrong formula",
        "The smoothing is moved inside the loss, f((1 - 2 eps) z), into the probability, or towards ln 2.",
        "Near z = 0 all agree; for well-won pairs the pull back is missing, which is all that smoothing is for.",
    ),
    "SmoothingClamped": _note(
        "option misapplied",
        "label_smoothing is clamped to 0.1.",
        "A sweep over label smoothing ends at 0.1 without a word.",
    ),
    "SmoothingAtHalf": _note(
        "special value",
        "Somewhere a division by 1 - 2 eps: infinite or NaN at eps = 0.5.",
        "The symmetric control run, which is a plain number, is NaN.",
    ),
    "SmoothingNeverZero": _note(
        "option misapplied",
        "A label_smoothing of 0 becomes 1e-3, because another loss needed it to.",
        "Plain DPO is smoothed: far from the reference the loss grows with z where it is to vanish.",
    ),
    "SmoothingRounded": _note(
        "narrow format",
        "label_smoothing is rounded to a narrower format than the log-probabilities'.",
        "The loss of well-won pairs, which is eps z and little else, is off by up to 0.2 %.",
    ),
    "SmoothedGradient": _note(
        "wrong gradient",
        "The value is smoothed and its gradient is not, or the gradient adds eps where it is to subtract it.",
        "The loss that is printed is not the loss that is trained.",
        "huggingface/trl/pull/3906",
    ),
    # -- the gradient --------------------------------------------------------------------------------------------------
    "GradientSign": _note(
        "wrong gradient",
        "The derivatives, or those of one side, have the wrong sign, or are returned in another order.",
        "Chosen and rejected rise or fall together; the loss falls all the same, by the larger of the two.",
    ),
    "GradientScale": _note(
        "wrong gradient",
        "The derivative in z where that in a log-probability is due: beta is missing; or one side is doubled.",
        "At beta = 0.1 every step is ten times too long.",
        "huggingface/trl/issues/2617",
    ),
    "GradientClipped": _note(
        "wrong gradient",
        "The derivative is clipped, floored, or cut to 0 for won pairs.",
        "Lost pairs recover at a constant pace; won pairs are pushed for ever, or let go too early.",
    ),
    "GradientDetached": _note(
        "wrong gradient",
        "The losses, or one side of the policy, are detached.",
        "The loss is right at every step and does not fall, or half of the signal is gone.",
        "jingyaogong/minimind/issues/430",
        "OpenRLHF/OpenRLHF/issues/364",
    ),
    # -- cancellation --------------------------------------------------------------------------------------------------
    "RoundedMargin": _note(
        "narrow format",
        "The margin or the log-ratios are rounded to a narrower format before the loss.",
        "Rewards move in steps, of 2 nats for log-probabilities of 500 in bfloat16, or overflow in binary16.",
        "huggingface/trl/issues/878",
    ),
    "RoundedInputs": _note(
        "narrow format",
        "The log-probabilities are cut to 11 bits, as TensorFloat-32 or binary16 would.",
        "Two responses whose log-probabilities differ by less than a part in 2,000 are a tie.",
        "huggingface/trl/pull/7084",
        "genlm/genlm-backend/issues/66",
    ),
    "RewardsCancel": _note(
        "cancellation",
        "log(e^chosen + e^rejected) - chosen, over rewards: the sum cancels, or overflows.",
        "The loss of won pairs is rounding noise of the size of an ulp of the reward.",
    ),
    # -- extremes ------------------------------------------------------------------------------------------------------
    "ClampedLogps": _note(
        "threshold",
        "Log-probabilities below -100, or below -10,000, count as that.",
        "Long responses are all equally likely: their pairs are ties.",
        "huggingface/trl/issues/878",
    ),
    "NearOverflow": _note(
        "overflow",
        "An exponential of a reward, or a formula that squares or doubles, overflows before the result does.",
        "Finite log-probabilities give an infinite or NaN loss.",
        "mindspore-ai/mindspore/issues/390",
    ),
    "ExtremeBeta": _note(
        "option misapplied",
        "A very small or a very large beta is rounded, clamped or flushed.",
        "Runs at the ends of a sweep are not what they say.",
    ),
    # -- special values ------------------------------------------------------------------------------------------------
    "ImpossibleChosen": _note(
        "special value",
        "z = -inf, and the loss is not +inf: what is not finite became 0, or the largest number.",
        "The worst pair of the batch counts as the best, and a broken model trains in silence.",
        "huggingface/trl/issues/2553",
        "pytorch/pytorch/issues/20972",
    ),
    "ImpossibleRejected": _note(
        "special value",
        "z = +inf, and the loss is NaN: 0 * inf, from a mixture that is computed at label smoothing 0 too.",
        "A rejected response that the policy finds impossible, the aim of training, turns the batch into NaN.",
        "huggingface/trl/issues/1199",
    ),
    "NanBecomesNumber": _note(
        "special value",
        "A NaN log-probability gives a number, by nan_to_num, a comparison, or a maximum.",
        "A loss of 0.0 or 0.6931 over NaN log-probabilities hides a broken model from everyone who watches the loss.",
        "huggingface/trl/issues/1199",
        "modelscope/ms-swift/issues/5418",
    ),
    "InfinityMinusInfinity": _note(
        "special value",
        "A margin of inf - inf gives a number.",
        "A response that policy and reference both find impossible is scored as if its loss were known.",
        "OpenRLHF/OpenRLHF/issues/1240",
        "allenai/open-instruct/pull/1685",
    ),
    "InfiniteGradient": _note(
        "special value",
        "At an infinite logit the derivative is NaN, where its limit, 0 or beta, is due.",
        "The loss is right, and one impossible response turns every weight into NaN.",
        "pytorch/pytorch/issues/20972",
        "mst272/LLM-Dojo/issues/23",
    ),
    "SmoothedInfinity": _note(
        "special value",
        "Under label smoothing, z = +inf gives a finite loss.",
        "The pull back from certainty, which is what smoothing is for, is missing where it is strongest.",
    ),
    "SignOfZero": _note(
        "special value",
        "A branch goes by the sign bit, so that -0 is taken for a negative number.",
        "Policy and reference agree and the loss is infinite or 0, depending on which was subtracted first.",
    ),
    # -- the mean ------------------------------------------------------------------------------------------------------
    "SumForMean": _note(
        "wrong reduction",
        "The sum where the mean is due, in the value or in the gradient alone.",
        "The learning rate grows with the batch size.",
        "huggingface/trl/issues/2615",
        "meta-pytorch/torchtune/issues/1291",
    ),
    "WrongDivisor": _note(
        "wrong reduction",
        "The sum divided by n - 1, or by 2n, the number of rows.",
        "The loss at the reference is not ln 2, and the learning rate is off by a factor.",
        "huggingface/trl/issues/2617",
    ),
    "ChunkedMean": _note(
        "wrong reduction",
        "The mean of the means of chunks, the last of them shorter.",
        "Pairs in a short last batch count more than the others.",
        "unslothai/unsloth/issues/1178",
        "huggingface/trl/pull/5710",
    ),
    "NotAMean": _note(
        "wrong reduction",
        "The median, or the largest loss, where the mean is due.",
        "All but one pair of a batch teach nothing.",
    ),
    "ZerosLeftOut": _note(
        "wrong reduction",
        "The mean over the losses that are not 0.",
        "As pairs are won the loss rises: those that are learned drop out of the mean.",
    ),
    "NanLeftOut": _note(
        "wrong reduction",
        "NaN losses are left out of the mean.",
        "A broken model is averaged away.",
        "huggingface/trl/issues/1199",
    ),
    "NarrowSum": _note(
        "narrow format",
        "The losses are summed in a narrower format than their own.",
        "The mean has two digits, and with many pairs it stops growing.",
    ),
}
"""All flags, in the order of the files."""
