"""The loss times a factor, cut to something coarse, or another loss altogether."""

from __future__ import annotations

import math

import numpy as np

from conformance.diagnosis import forms
from conformance.diagnosis.forms import OTHERS, mixed
from conformance.diagnosis.hypotheses.cures import FACTOR, FORMULA
from conformance.diagnosis.variants import Variant

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
