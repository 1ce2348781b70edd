"""The known wrong variants, the likelier of two that fit first. To know another cause, add a line."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance.diagnosis import forms
from conformance.diagnosis.forms import OTHERS, At, Form, mixed
from conformance.diagnosis.variants import Logps, Variant
from oracle import Format, bfloat16, binary16, binary32
from oracle.formats import Floats

RIGHT = Variant("right", "the loss that was asked for", "")

BETA = "Use the beta of each call, once, as the factor of the margin: z = beta * margin."
SMOOTHING = "Return (1 - eps) * softplus(-z) + eps * softplus(z), with the label_smoothing of each call."
ORDER = (
    "Take the arguments in the order policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, "
    "best by name, and return -logsigmoid(beta * ((pc - rc) - (pr - rr)))."
)
REFERENCE = "Subtract each reference log-probability from the policy's own: (pc - rc) - (pr - rr)."
PAIRS = "Compare each chosen response with the rejected one of its own pair: no roll, sort, interleaving or broadcasting."
FACTOR = "Return the loss itself, times nothing; a mean is the sum over n pairs divided by n."
WHOLE = "Compute each pair's loss from that pair alone, and return it at the pair's own place."
FORMULA = "Return -logsigmoid(z), smoothed: (1 - eps) * softplus(-z) + eps * softplus(z), with z = beta * margin."
WIDER = "Compute in the dtype of the inputs or a wider one: no .half(), .bfloat16(), .float() or autocast on the way."

OPTIONS = (
    Variant(
        "label_smoothing ignored", "the loss at label_smoothing 0, whatever is asked", SMOOTHING, options=lambda b, e: (b, 0.0)
    ),
    Variant("beta is always 0.1", "the loss at beta 0.1, whatever beta is asked", BETA, options=lambda b, e: (0.1, e)),
    Variant("beta is always 1", "the loss at beta 1, whatever beta is asked", BETA, options=lambda b, e: (1.0, e)),
    Variant("beta applied twice", "the loss at beta^2", BETA, options=lambda b, e: (b * b, e)),
    Variant("1 / beta", "the loss at 1 / beta", BETA, options=lambda b, e: (1 / b if b else 0.0, e)),
    Variant("square root of beta", "the loss at the square root of beta", BETA, options=lambda b, e: (math.sqrt(abs(b)), e)),
    Variant("beta halved", "the loss at beta / 2", BETA, options=lambda b, e: (b / 2, e)),
    Variant("beta doubled", "the loss at 2 beta", BETA, options=lambda b, e: (2 * b, e)),
    Variant(
        "beta outside",
        "beta times the loss at beta 1: the loss is scaled instead of the margin",
        BETA,
        options=lambda b, e: (1.0, e),
        scale=lambda n, b, e: b,
    ),
    Variant(
        "beta on the chosen alone",
        "the loss at beta * chosen log-ratio - rejected log-ratio: parentheses are missing",
        BETA,
        margin=lambda b, e: (b, -1.0, -b, 1.0),
    ),
    Variant(
        "beta on the policy alone",
        "the loss at beta * (pc - pr) - (rc - rr): the reference is not scaled",
        BETA,
        margin=lambda b, e: (b, -b, -1.0, 1.0),
    ),
    Variant(
        "options exchanged",
        "the loss with beta and label_smoothing in each other's place",
        "Pass beta and label_smoothing by name.",
        options=lambda b, e: (e, min(b, 1.0)),
    ),
    Variant("label_smoothing halved", "the loss at label_smoothing / 2", SMOOTHING, options=lambda b, e: (b, e / 2)),
    Variant("label_smoothing doubled", "the loss at twice the label_smoothing", SMOOTHING, options=lambda b, e: (b, 2 * e)),
    Variant(
        "label_smoothing at most 0.1",
        "the loss at a label_smoothing of at most 0.1",
        SMOOTHING,
        options=lambda b, e: (b, min(e, 0.1)),
    ),
    Variant(
        "label_smoothing is always 0.1",
        "the loss at label_smoothing 0.1, whatever is asked",
        SMOOTHING,
        options=lambda b, e: (b, 0.1),
    ),
    Variant(
        "1 - label_smoothing",
        "the loss at 1 - label_smoothing: the two weights are exchanged",
        SMOOTHING,
        options=lambda b, e: (b, 1 - e if e else e),
    ),
    Variant(
        "both options ignored",
        "the loss at beta 0.1 and label_smoothing 0, whatever is asked",
        f"{BETA} {SMOOTHING}",
        options=lambda b, e: (0.1, 0.0),
    ),
    Variant(
        "both options ignored, beta 1",
        "the loss at beta 1 and label_smoothing 0, whatever is asked",
        f"{BETA} {SMOOTHING}",
        options=lambda b, e: (1.0, 0.0),
    ),
)

SMOOTHINGS = (
    Variant(
        "robust for conservative",
        "the robust loss, ((1 - eps) softplus(-z) - eps softplus(z)) / (1 - 2 eps), not the conservative one",
        SMOOTHING,
        form=forms.ROBUST,
    ),
    Variant("1 - eps missing", "softplus(-z) + eps softplus(z): the 1 - eps is missing", SMOOTHING, form=forms.NOT_TAKEN_OFF),
    Variant(
        "second term missing",
        "(1 - eps) softplus(-z): the term eps softplus(z) is missing",
        SMOOTHING,
        form=forms.SECOND_TERM_MISSING,
    ),
    Variant("shift negated", "softplus(-z) - eps z: the shift has the wrong sign", SMOOTHING, form=forms.SHIFT_NEGATED),
    Variant(
        "label_smoothing of the margin",
        "softplus(-(1 - 2 eps) z): the expectation is taken of the logit, not of the loss",
        SMOOTHING,
        options=lambda b, e: (b * (1 - 2 * e), 0.0),
    ),
    Variant("label_smoothing towards ln 2", "(1 - eps) loss + eps ln 2", SMOOTHING, form=forms.TOWARDS_LN2),
    Variant(
        "label_smoothing of the probability",
        "-log((1 - eps) sigma(z) + eps / 2): the probability is smoothed, not the label",
        SMOOTHING,
        form=forms.OF_PROBABILITY,
    ),
    Variant(
        "label_smoothing of lost pairs",
        "the loss with only the pairs of negative logit smoothed",
        SMOOTHING,
        form=forms.LOST_ALONE,
    ),
    Variant(
        "label_smoothing of the mean logit",
        "softplus(-z) + eps mean(z): the shift is the batch's, not the pair's",
        SMOOTHING,
        form=forms.MEAN_SHIFT,
        across=True,
    ),
)


def _margin(key: str, says: str, cure: str, *margin: float) -> Variant:
    pc, pr, rc, rr = margin
    return Variant(key, says, cure, margin=(pc, pr, rc, rr))


def _probabilities(x: Logps) -> Logps:
    pc, pr, rc, rr = (np.exp(values) for values in x)
    return pc, pr, rc, rr


MARGINS = (
    _margin(
        "loss of -z",
        "the loss of -z: chosen and rejected are exchanged, or policy and reference, or a sign is wrong, or eps and 1 - eps",
        ORDER,
        -1,
        1,
        1,
        -1,
    ),
    _margin(
        "reference crossed",
        "the loss of (pc - rr) - (pr - rc): the reference's chosen and rejected are exchanged, or the reference is added",
        f"{REFERENCE} {ORDER}",
        1,
        -1,
        1,
        -1,
    ),
    _margin(
        "policy crossed",
        "the loss with the policy's chosen and rejected exchanged, the reference's not: (pr - rc) - (pc - rr)",
        ORDER,
        -1,
        1,
        -1,
        1,
    ),
    _margin(
        "log-ratios added",
        "the loss of the sum of the log-ratios, (pc - rc) + (pr - rr): a sign, or pr and rc exchanged",
        ORDER,
        1,
        1,
        -1,
        -1,
    ),
    _margin(
        "minus the log-ratios' sum",
        "the loss of minus the sum of the log-ratios, -(pc - rc) - (pr - rr): arguments in another order",
        ORDER,
        -1,
        -1,
        1,
        1,
    ),
    _margin("no reference", "the loss without the reference: pc - pr", REFERENCE, 1, -1, 0, 0),
    _margin("no rejected reference", "the loss without ref_rejected: (pc - rc) - pr", REFERENCE, 1, -1, -1, 0),
    _margin("no chosen reference", "the loss without ref_chosen: pc - (pr - rr)", REFERENCE, 1, -1, 0, 1),
    _margin("half of the reference", "the loss with half of the reference", REFERENCE, 1, -1, -0.5, 0.5),
    _margin("chosen alone", "the loss of the chosen log-ratio alone: pc - rc", ORDER, 1, 0, -1, 0),
    _margin("rejected alone", "the loss of the rejected log-ratio alone: -(pr - rr)", ORDER, 0, -1, 0, 1),
    _margin("no policy", "the loss without the policy: -(rc - rr)", ORDER, 0, 0, -1, 1),
    Variant(
        "always ln 2",
        "the loss of a logit of 0, ln 2 for ever: the policy's own log-probabilities serve as reference",
        "Hand the reference model's log-probabilities over, not the policy's own.",
        margin=(0.0, 0.0, 0.0, 0.0),
    ),
    Variant("|margin|", "the loss of |z|: every pair counts as won", ORDER, before=lambda x: _net(np.abs(_of(x)))),
    Variant(
        "margin not negative",
        "the loss of max(z, 0): lost pairs count as ties",
        ORDER,
        before=lambda x: _net(np.maximum(_of(x), 0)),
    ),
    Variant(
        "margin halved", "the loss of half of the margin: the log-ratios are averaged", ORDER, options=lambda b, e: (b / 2, e)
    ),
    Variant(
        "probabilities for logarithms",
        "the loss of differences of probabilities, exp(logps), not of log-probabilities",
        REFERENCE,
        before=_probabilities,
    ),
    Variant(
        "length-normalised",
        "the loss of the margin divided by the larger log-probability of the policy, as if by a length",
        ORDER,
        before=lambda x: _net(_of(x) / np.maximum(np.maximum(np.abs(x[0]), np.abs(x[1])), 1)),
    ),
)


def _of(x: Logps) -> Floats:
    pc, pr, rc, rr = x
    return (pc - rc) - (pr - rr)


def _net(margin: Floats) -> Logps:
    """Four arrays that have this margin."""
    nothing = np.zeros_like(margin)
    return margin, nothing, nothing, nothing


def _interleaved(chosen: Floats, rejected: Floats) -> tuple[Floats, Floats]:
    """All chosen, then all rejected, read as pairs that alternate."""
    rows = np.concatenate([chosen, rejected])
    return rows[0::2], rows[1::2]


def _halved(chosen: Floats, rejected: Floats) -> tuple[Floats, Floats]:
    """Rows that alternate, cut in halves."""
    rows = np.stack([chosen, rejected], axis=1).ravel()
    return rows[: len(chosen)], rows[len(chosen) :]


def _rows(x: Logps, change: Callable[[Floats, Floats], tuple[Floats, Floats]], *, reference: bool = True) -> Logps:
    pc, pr = change(x[0], x[1])
    rc, rr = change(x[2], x[3]) if reference else (x[2], x[3])
    return pc, pr, rc, rr


def _centred(x: Logps) -> Logps:
    margin = _of(x)
    return _net(margin - margin.mean())


BATCHES = (
    Variant(
        "rejected of the next pair",
        "the loss with each chosen response compared with a neighbouring pair's rejected one",
        PAIRS,
        before=lambda x: (x[0], np.roll(x[1], 1), x[2], np.roll(x[3], 1)),
    ),
    Variant(
        "rejected of the previous pair",
        "the loss with each chosen response compared with a neighbouring pair's rejected one",
        PAIRS,
        before=lambda x: (x[0], np.roll(x[1], -1), x[2], np.roll(x[3], -1)),
    ),
    Variant(
        "reference of the next pair",
        "the loss with each pair's reference taken from a neighbouring pair",
        PAIRS,
        before=lambda x: (x[0], x[1], np.roll(x[2], 1), np.roll(x[3], 1)),
    ),
    Variant(
        "reference of the previous pair",
        "the loss with each pair's reference taken from a neighbouring pair",
        PAIRS,
        before=lambda x: (x[0], x[1], np.roll(x[2], -1), np.roll(x[3], -1)),
    ),
    Variant(
        "policy reversed",
        "the loss with the policy's pairs in reversed order against the reference's",
        PAIRS,
        before=lambda x: (x[0][::-1], x[1][::-1], x[2], x[3]),
    ),
    Variant(
        "log-ratios sorted",
        "the loss with both log-ratios sorted over the batch",
        PAIRS,
        before=lambda x: (np.sort(x[0] - x[2]), np.sort(x[1] - x[3]), 0 * x[2], 0 * x[3]),
    ),
    Variant(
        "rows interleaved",
        "the loss with rows laid out as all chosen, then all rejected, read as alternating",
        PAIRS,
        before=lambda x: _rows(x, _interleaved),
    ),
    Variant("rows halved", "the loss with alternating rows cut in halves", PAIRS, before=lambda x: _rows(x, _halved)),
    Variant(
        "policy rows interleaved",
        "the loss with the policy's rows interleaved, the reference's not",
        PAIRS,
        before=lambda x: _rows(x, _interleaved, reference=False),
    ),
    Variant(
        "policy rows halved",
        "the loss with the policy's alternating rows cut in halves, the reference's not",
        PAIRS,
        before=lambda x: _rows(x, _halved, reference=False),
    ),
    Variant(
        "reference averaged",
        "the loss with the batch's mean reference in the place of each pair's own",
        PAIRS,
        before=lambda x: (x[0], x[1], np.full_like(x[2], x[2].mean()), np.full_like(x[3], x[3].mean())),
    ),
    Variant("margins centred", "the loss with the batch's mean margin subtracted from each", WHOLE, before=_centred),
    Variant(
        "margins whitened",
        "the loss with the margins divided by the batch's root mean square",
        WHOLE,
        before=lambda x: _net(_of(x) / np.sqrt(np.mean(np.square(_of(x))))),
    ),
    Variant(
        "rewards centred",
        "the loss with the batch's mean chosen reward subtracted",
        WHOLE,
        before=lambda x: _net(_of(x) - (x[0] - x[2]).mean()),
    ),
    Variant("reversed", "each pair's loss at another's place: in reversed order", WHOLE, after=lambda v: v[::-1]),
    Variant("shifted by one", "each pair's loss at another's place: shifted by one", WHOLE, after=lambda v: np.roll(v, 1)),
    Variant(
        "shifted back by one", "each pair's loss at another's place: shifted by one", WHOLE, after=lambda v: np.roll(v, -1)
    ),
    Variant("sorted", "each pair's loss at another's place: in ascending order", WHOLE, after=np.sort),
    Variant(
        "the mean for each",
        "the batch's mean loss at every place",
        WHOLE,
        after=lambda v: np.full_like(v, v.mean()),
        slopes=True,
    ),
    Variant(
        "the sum for each",
        "the batch's summed loss at every place",
        WHOLE,
        after=lambda v: np.full_like(v, v.sum()),
        share=float,
    ),
    Variant(
        "divided by n", "each pair's loss divided by the number of pairs in its batch", FACTOR, scale=lambda n, b, e: 1 / n
    ),
    Variant("times n", "each pair's loss times the number of pairs in its batch", FACTOR, scale=lambda n, b, e: float(n)),
    Variant(
        "every pair with every other",
        "the mean over every rejected response at each chosen one: (n, 1) was broadcast against (n,)",
        PAIRS,
        before=lambda x: (*_net(np.subtract.outer(x[0] - x[2], x[1] - x[3]).ravel()),),
        after=lambda v: v.reshape(math.isqrt(len(v)), -1).mean(axis=1),
        most=100,
    ),
)

FORMS = (
    Variant("in bits", "the loss in bits, log2, where nats are asked for", FACTOR, scale=lambda n, b, e: 1 / math.log(2)),
    Variant("in decades", "the loss by log10, where nats are asked for", FACTOR, scale=lambda n, b, e: 1 / math.log(10)),
    Variant("halved", "half of the loss", FACTOR, scale=lambda n, b, e: 0.5),
    Variant("doubled", "twice the loss", FACTOR, scale=lambda n, b, e: 2.0),
    Variant("negated", "minus the loss", FACTOR, scale=lambda n, b, e: -1.0),
    Variant("zero", "0, always", FORMULA, scale=lambda n, b, e: 0.0),
    Variant("whole numbers", "the loss cut to a whole number", FORMULA, after=np.trunc),
    Variant("whole logits", "the loss of the logit rounded to a whole number", FORMULA, form=forms.OF_WHOLE_LOGIT),
    Variant(
        "less ln 2",
        "the loss less ln 2, so that it is 0 where the policy is the reference",
        FORMULA,
        form=forms.ZERO_AT_REFERENCE,
    ),
    *(
        Variant(f"another loss: {other.key}", other.says, FORMULA, form=form)
        for other in OTHERS
        for form in (mixed(other.form), other.form)
    ),
    Variant(
        "another loss: regression",
        "(sigma(z) - (1 - eps))^2, a squared error of the probability",
        FORMULA,
        form=forms.REGRESSION,
    ),
)


def _through(fmt: Format, which: slice) -> Variant:
    """Log-probabilities stored in a narrower format."""
    what = "the reference log-probabilities" if which.start else "the log-probabilities"

    def before(x: Logps) -> Logps:
        pc, pr, rc, rr = (fmt.round_array(v) if i in range(4)[which] else v for i, v in enumerate(x))
        return pc, pr, rc, rr

    cure = f"Keep {what} in the dtype they come in."
    return Variant(f"{what} in {fmt.name}", f"the loss with {what} rounded to {fmt.name}", cure, before=before, slopes=True)


def _rounded(fmt: Format) -> tuple[Variant, ...]:
    """What becomes of a stage that is rounded into a narrower format."""
    name = fmt.name
    return (
        Variant(f"result in {name}", f"the loss, rounded to {name} at the end", WIDER, after=fmt.round_array),
        _through(fmt, slice(2, 4)),
        _through(fmt, slice(0, 4)),
        Variant(
            f"log-ratios in {name}",
            f"the loss with the log-ratios rounded to {name}",
            WIDER,
            before=lambda x: (fmt.round_array(x[0] - x[2]), fmt.round_array(x[1] - x[3]), 0 * x[2], 0 * x[3]),
            slopes=False,
        ),
        Variant(
            f"margin in {name}",
            f"the loss with the margin rounded to {name}",
            WIDER,
            before=lambda x: _net(fmt.round_array(_of(x))),
        ),
        Variant(
            f"beta in {name}",
            f"the loss with beta rounded to {name}",
            BETA,
            options=lambda b, e: (float(fmt.round_array(b)), e),
        ),
        Variant(
            f"label_smoothing in {name}",
            f"the loss with label_smoothing rounded to {name}",
            SMOOTHING,
            options=lambda b, e: (b, float(fmt.round_array(e))),
        ),
        Variant(f"inside in {name}", f"the loss computed in {name}, whatever is asked for", WIDER, inside=fmt),
    )


PRECISIONS = tuple(replace(variant, rounds=fmt) for fmt in (binary32, binary16, bfloat16) for variant in _rounded(fmt))
LOSSES = (RIGHT, *OPTIONS, *SMOOTHINGS, *MARGINS, *FORMS, *(replace(variant, across=True) for variant in BATCHES))

BACKWARD = "Let autograd differentiate the loss, or return beta * sigma(-z) with its sign for each argument."


def _factors(key: str, says: str, pc: float, pr: float, rc: float, rr: float) -> Variant:
    return Variant(key, says, BACKWARD, factors=(pc, pr, rc, rr))


def _slope(key: str, says: str, slope: Callable[[At], Floats], cure: str = BACKWARD) -> Variant:
    return Variant(key, says, cure, form=Form(lambda at: at.f, slope))


def _scaled(key: str, says: str, scale: Callable[[int, float, float], float], cure: str = BACKWARD) -> Variant:
    return Variant(key, says, cure, scale=scale)


GRADIENTS = (
    RIGHT,
    _scaled(
        "derivatives negated",
        "the right ones with the opposite sign: gradient ascent, or in the order rejected, chosen, rejected, chosen",
        lambda n, b, e: -1.0,
    ),
    _scaled(
        "derivatives zero",
        "0, always: the loss is cut off from its inputs, or the backward pass returns zeros",
        lambda n, b, e: 0.0,
        "Return beta * sigma(-z) with its sign for each argument; no .detach(), .item() or no_grad between inputs and loss.",
    ),
    _scaled("derivatives halved", "half of the right ones", lambda n, b, e: 0.5),
    _scaled("derivatives doubled", "twice the right ones", lambda n, b, e: 2.0),
    _scaled("derivatives divided by n", "the right ones divided by the number of pairs", lambda n, b, e: 1 / n),
    _scaled("derivatives times n", "the right ones times the number of pairs", lambda n, b, e: float(n)),
    _scaled("derivatives without beta", "the right ones without the factor beta", lambda n, b, e: 1 / b if b else 1.0),
    _scaled("derivatives times beta", "the right ones times beta once more", lambda n, b, e: b),
    _factors("sign of the rejected", "right but for the sign of policy_rejected_logps", 1, -1, 1, 1),
    _factors("sign of the chosen", "right but for the sign of policy_chosen_logps", -1, 1, 1, 1),
    _factors("sign of the reference", "right but for the sign of the reference's", 1, 1, -1, -1),
    _factors("sign of the chosen reference", "right but for the sign of ref_chosen_logps", 1, 1, -1, 1),
    _factors("sign of the rejected reference", "right but for the sign of ref_rejected_logps", 1, 1, 1, -1),
    _factors("chosen doubled", "right but for twice that in policy_chosen_logps", 2, 1, 1, 1),
    _factors("rejected doubled", "right but for twice that in policy_rejected_logps", 1, 2, 1, 1),
    _factors("reference doubled", "right but for twice those in the reference", 1, 1, 2, 2),
    _factors("chosen detached", "right but for a 0 in policy_chosen_logps", 0, 1, 1, 1),
    _factors("rejected detached", "right but for a 0 in policy_rejected_logps", 1, 0, 1, 1),
    _factors("policy detached", "right but for zeros in the policy's log-probabilities", 0, 0, 1, 1),
    _slope("derivatives unsmoothed", "those of the loss without label smoothing", lambda at: -at.s, SMOOTHING),
    _slope(
        "shift of the derivatives negated",
        "those of softplus(-z) - eps z: the shift has the wrong sign",
        lambda at: -at.eps - at.s,
        SMOOTHING,
    ),
    _slope("derivatives of the won pair", "with sigma(z) in the place of sigma(-z)", lambda at: at.eps - at.t),
    _slope("derivatives of the won pair, exchanged", "with sigma(z) in the place of sigma(-z)", lambda at: at.t - at.eps),
    _slope("derivatives of -z", "those of -z itself: sigma(-z) is taken for 1", lambda at: at.eps - 1 + 0 * at.z),
    _scaled("derivatives times n", "the right ones times the number of pairs", lambda n, b, e: float(n)),
    *(
        Variant(f"derivatives in {fmt.name}", f"the right ones, rounded to {fmt.name}", WIDER, inside=fmt, rounds=fmt)
        for fmt in (binary32, binary16, bfloat16)
    ),
)
"""Wrong derivatives of a right loss; those of each wrong loss are tried besides."""


def _reduced(
    key: str, says: str, after: Callable[[Floats], Floats], share: Callable[[int], float] | None = None, cure: str = FACTOR
) -> Variant:
    return Variant(key, says, cure, after=lambda v: np.atleast_1d(after(v)), share=share)


def _chunks(size: int) -> Callable[[Floats], Floats]:
    return lambda v: np.mean([v[i : i + size].mean() for i in range(0, len(v), size)])


def _in_two(v: Floats) -> Floats:
    """The first pair, and the rest."""
    return np.asarray(v.mean() if len(v) == 1 else (v[0] + v[1:].mean()) / 2)


CHUNKS = "Add the losses of all micro-batches and divide once, by the number of all pairs; a mean of means weighs them wrongly."

REDUCTIONS = (
    RIGHT,
    _reduced("the sum", "the sum over the pairs, not the mean", np.sum, lambda n: 1.0),
    _reduced("over n - 1", "the sum divided by n - 1", lambda v: v.sum() / max(len(v) - 1, 1), lambda n: 1 / max(n - 1, 1)),
    _reduced("over n + 1", "the sum divided by n + 1", lambda v: v.sum() / (len(v) + 1), lambda n: 1 / (n + 1)),
    _reduced(
        "over 2 n",
        "the sum divided by 2 n, the number of rows, chosen and rejected",
        lambda v: v.sum() / (2 * len(v)),
        lambda n: 0.5 / n,
    ),
    _reduced("over n twice", "the mean divided by n once more", lambda v: v.mean() / len(v), lambda n: 1 / n**2),
    *(
        _reduced(
            f"mean of means of {size}",
            f"the mean of the means of micro-batches of {size}, the last of them shorter",
            _chunks(size),
            cure=CHUNKS,
        )
        for size in (2, 3, 4, 5, 6, 7, 8)
    ),
    _reduced(
        "mean of means, first alone",
        "the mean of the means of micro-batches of unlike size: the first pair, and the rest",
        _in_two,
        cure=CHUNKS,
    ),
    Variant(
        "loss of the mean logit",
        "-logsigmoid(mean z), not the mean of -logsigmoid(z)",
        "Take the log-sigmoid of each pair's logit, and the mean of the losses.",
        before=lambda x: _net(np.atleast_1d(_of(x).mean())),
    ),
    _reduced("the median", "the median", np.median),
    _reduced("the maximum", "the largest loss", np.max),
    _reduced("the first", "the first pair's loss", lambda v: v[0]),
    _reduced("the last", "the last pair's loss", lambda v: v[-1]),
    _reduced("the minimum", "the smallest loss", np.min),
)
"""What is returned for the mean of a batch whose pairs, alone, are right."""
