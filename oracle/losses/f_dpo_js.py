"""f-DPO with the Jensen-Shannon divergence: the logit of phi of the two log-ratios."""

from __future__ import annotations

from oracle.expressions.nodes import Node, constant, exp, softplus, spelled
from oracle.losses._forms import a, b, beta, f, log2, z
from oracle.losses._model import BETA, Facts, Loss, Wrong


def phi(x: Node) -> Node:
    """f' of the divergence at e**x, up to a constant."""
    return spelled(log2 - f(x), x + log2 - softplus(x))


LOSS = Loss(
    name="f_dpo_js",
    title="f-DPO with the Jensen-Shannon divergence",
    definition=f(spelled(beta * (phi(a) - phi(b)), z - beta * (softplus(a) - softplus(b)), beta * phi(a) - beta * phi(b))),
    parameters=(BETA,),
    paper="Wang et al. (2023), arXiv:2309.16240",
    equation="theorem 1",
    facts=Facts(convex=False, lower_bound=constant(0), at_reference=log2),
    aliases={"TRL": "f_divergence_type=js_divergence", "ms-swift": "f_divergence_type=js_divergence"},
    wrong=(
        Wrong("reverse-kl", "the reverse divergence, plain DPO, instead", f(z)),
        Wrong("forward-kl", "the forward divergence instead", f(beta * (exp(-b) - exp(-a)))),
        Wrong("sign", "the correction has the wrong sign", f(z - beta * (f(b) - f(a)) - z - z)),
        Wrong("policy-sign", "the two responses are swapped", f(beta * (phi(b) - phi(a)))),
        Wrong("no-beta", "beta is ignored", f(phi(a) - phi(b))),
    ),
)
