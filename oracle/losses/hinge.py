"""The hinge loss of the logit."""

from __future__ import annotations

from oracle.expressions.nodes import constant, maximum0
from oracle.losses._forms import beta, margin, z
from oracle.losses._model import BETA, Facts, Loss, Wrong

LOSS = Loss(
    name="hinge",
    title="Hinge (RSO's hinge-norm; documented as SLiC)",
    definition=maximum0(1 - z),
    parameters=(BETA,),
    paper="Liu et al. (2023), arXiv:2309.06657",
    equation="the hinge-norm loss",
    facts=Facts(
        convex=True,
        lower_bound=constant(0),
        at_reference=constant(1),
        remarks=("the slope in the logit jumps from -1 to 0 at 1",),
    ),
    aliases={"TRL": "hinge", "Liger": "hinge", "ms-swift": "hinge", "torchtune": "RSOLoss", "oat": "slic"},
    singular=("a kink at the logit 1, where relu has the derivative 0",),
    covered="rational",
    wrong=(
        Wrong("sign", "the logit has the wrong sign", maximum0(1 + z)),
        Wrong("no-hinge", "the negative part is kept", 1 - z),
        Wrong("no-beta", "beta is ignored", maximum0(1 - margin)),
        Wrong("scaled-margin", "the required margin is beta", maximum0(beta - z)),
        Wrong("squared", "the squared hinge", maximum0(1 - z) * maximum0(1 - z)),
        Wrong("no-margin", "no margin is required", maximum0(-z)),
    ),
)
