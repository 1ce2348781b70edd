"""DiscoPOP: the log-ratio modulated loss, a blend of the logistic and the exponential loss."""

from __future__ import annotations

from oracle.expressions.nodes import constant, detached, exp, parameter, sigmoid, spelled
from oracle.losses._forms import f, half, log2, z
from oracle.losses._model import BETA, POSITIVE, Facts, Loss, Parameter, Wrong

tau = parameter("tau")
m = sigmoid(z / tau)


LOSS = Loss(
    name="discopop",
    title="DiscoPOP (log-ratio modulated loss)",
    definition=spelled(f(z) * sigmoid(-z / tau) + exp(-z) * m, f(z) * (1 - m) + exp(-z) * m),
    parameters=(
        BETA,
        Parameter("tau", 0.05, POSITIVE, "temperature of the blend", other=0.5),
    ),
    paper="Lu et al. (2024), arXiv:2406.08414",
    equation="equation 5",
    facts=Facts(
        convex=False,
        lower_bound=constant(0),
        at_reference=half * (1 + log2),
        remarks=(
            "rises with the logit near 0 at tau = 0.05: 0.785924 at -0.118570, 0.878290 at 0.072006",
            "in bfloat16 a blend without gradient is hardly told: at the most, at a logit of -4.76 and tau = 1.41, "
            "it is off by 1.09 of what kernels within 8 ulp may make of the right one",
            "as the logit falls: -z for tau < 1, -z + 1 for tau = 1, exponential for tau > 1; as it rises: 0",
        ),
    ),
    aliases={"TRL": "discopop", "Liger": "discopop", "ms-swift": "discopop", "EasyDeL": "discopop, with tau = 1"},
    singular=("tau = 0: division by 0",),
    wrong=(
        Wrong("tau-1", "tau is 1 whatever is asked for", f(z) * sigmoid(-z) + exp(-z) * sigmoid(z)),
        Wrong("tau-multiplied", "the logit is multiplied by tau", f(z) * sigmoid(-z * tau) + exp(-z) * sigmoid(z * tau)),
        Wrong("swapped", "the two losses' weights are swapped", f(z) * m + exp(-z) * sigmoid(-z / tau)),
        Wrong("logistic", "the logistic loss alone", f(z)),
        Wrong("exponential", "the exponential loss alone", exp(-z)),
        Wrong(
            "detached",
            "no gradient goes through the blend",
            f(z) * detached(sigmoid(-z / tau)) + exp(-z) * detached(m),
        ),
        Wrong("sign", "the exponential has the wrong sign", f(z) * sigmoid(-z / tau) + exp(z) * m),
    ),
)
