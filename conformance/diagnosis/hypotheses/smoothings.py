"""Another mixture under label smoothing."""

from __future__ import annotations

from conformance.diagnosis import forms
from conformance.diagnosis.hypotheses.cures import SMOOTHING
from conformance.diagnosis.variants import Variant

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
