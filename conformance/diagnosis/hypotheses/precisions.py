"""A stage that is rounded into a narrower format than was asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.diagnosis.forms import SMOOTHED, At, Form, mixed_size
from conformance.diagnosis.hypotheses.cures import WIDER
from conformance.diagnosis.hypotheses.margins import margin_of, net
from conformance.diagnosis.variants import Logps, Variant
from oracle import Format, bfloat16, binary16, binary32
from oracle.formats import Floats

_TF32 = Format("TensorFloat-32", 11, -126, 127, 19)
"""What a matrix unit makes of binary32: https://en.wikipedia.org/wiki/TensorFloat-32."""
OPTION = "Keep the option a Python float, or in the dtype of the log-probabilities: no tensor of a narrower one."


def _through(fmt: Format, which: slice) -> Variant:
    """Log-probabilities stored in a narrower format."""
    what = "the reference log-probabilities" if which.start else "the log-probabilities"

    def before(x: Logps) -> Logps:
        pc, pr, rc, rr = (fmt.round_array(v) if i in range(4)[which] else v for i, v in enumerate(x))
        return pc, pr, rc, rr

    cure = f"Keep {what} in the dtype they come in."
    return Variant(f"{what} in {fmt.name}", f"the loss with {what} rounded to {fmt.name}", cure, before=before, slopes=True)


def _cut(fmt: Format) -> Variant:
    """Log-probabilities cut to a format's digits, towards 0, as by a shift of their bits."""

    def shorter(values: Floats) -> Floats:
        mantissa, exponent = np.frexp(values)
        return np.asarray(np.ldexp(np.trunc(np.ldexp(mantissa, fmt.precision)), exponent - fmt.precision))

    def before(x: Logps) -> Logps:
        pc, pr, rc, rr = (shorter(values) for values in x)
        return pc, pr, rc, rr

    says = f"the loss with the log-probabilities rounded to the {fmt.precision} bits of {fmt.name}, towards 0"
    return Variant(f"log-probabilities cut to {fmt.name}", says, WIDER, before=before, slopes=True, rounds=fmt)


def _at(at: At, fmt: Format) -> At:
    return At(fmt.round_array(at.z), at.m, at.beta, at.eps)


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
            before=lambda x: net(fmt.round_array(margin_of(x))),
        ),
        Variant(
            f"logit in {name}",
            f"the loss with the logit rounded to {name}",
            WIDER,
            form=Form(lambda at: SMOOTHED.value(_at(at, fmt)), None, lambda at: mixed_size(_at(at, fmt))),
        ),
        Variant(
            f"beta in {name}",
            f"the loss with beta rounded to {name}",
            OPTION,
            options=lambda b, e: (float(fmt.round_array(b)), e),
        ),
        Variant(
            f"label_smoothing in {name}",
            f"the loss with label_smoothing rounded to {name}",
            OPTION,
            options=lambda b, e: (b, float(fmt.round_array(e))),
        ),
        Variant(f"inside in {name}", f"the loss computed in {name}, whatever is asked for", WIDER, inside=fmt),
    )


PRECISIONS = (
    *(replace(variant, rounds=fmt) for fmt in (binary32, binary16, bfloat16) for variant in _rounded(fmt)),
    replace(_through(_TF32, slice(0, 4)), rounds=_TF32),
    *(_cut(fmt) for fmt in (binary32, _TF32, bfloat16)),
)
