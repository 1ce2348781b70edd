"""beta or label_smoothing taken as another number, in another place, or not at all."""

from __future__ import annotations

import math

from conformance.diagnosis.hypotheses.cures import BETA, SMOOTHING
from conformance.diagnosis.variants import Variant

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
        "beta truncated",
        "the loss with a beta above 1 cut to a whole number",
        BETA,
        options=lambda b, e: (float(math.trunc(b)) if b > 1 else b, e),
    ),
    Variant("beta a whole number", "the loss with beta cut to a whole number", BETA, options=lambda b, e: (math.trunc(b), e)),
    Variant(
        "beta outside",
        "beta times the loss at beta 1: the loss is scaled instead of the margin",
        BETA,
        options=lambda b, e: (1.0, e),
        scale=lambda n, b, e: b,
    ),
    Variant(
        "divided by beta",
        "the loss divided by beta, as of a softplus that takes beta as its own argument",
        BETA,
        scale=lambda n, b, e: 1 / b if b else math.inf,
    ),
    Variant("loss times beta", "the loss times beta once more, outside the log-sigmoid", BETA, scale=lambda n, b, e: b),
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
    Variant(
        "label_smoothing halved",
        "the loss at label_smoothing / 2",
        f"{SMOOTHING} (A cross entropy over two classes takes half of its label_smoothing from the first: pass 2 eps to it.)",
        options=lambda b, e: (b, e / 2),
    ),
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
