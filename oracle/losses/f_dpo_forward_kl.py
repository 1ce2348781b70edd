"""f-DPO with the forward Kullback-Leibler divergence: the logit of phi of the two log-ratios."""

from __future__ import annotations

from oracle.expressions.nodes import Node, constant, exp, expm1, spelled
from oracle.losses._forms import a, b, beta, f, log2, z
from oracle.losses._model import BETA, Facts, Loss, Wrong


def phi(x: Node) -> Node:
    """f' of the divergence at e**x, up to a constant."""
    return spelled(-expm1(-x), 1 - exp(-x))


LOSS = Loss(
    name="f_dpo_forward_kl",
    title="f-DPO with the forward Kullback-Leibler divergence",
    definition=f(spelled(beta * (phi(a) - phi(b)), beta * (exp(-b) - exp(-a)), beta * phi(a) - beta * phi(b))),
    parameters=(BETA,),
    paper="Wang et al. (2023), arXiv:2309.16240",
    equation="theorem 1",
    facts=Facts(convex=False, lower_bound=constant(0), at_reference=log2),
    aliases={"TRL >= 0.29": "f_divergence_type=forward_kl"},
    wrong=(
        Wrong("reverse-kl", "the reverse divergence, plain DPO, instead", f(z)),
        Wrong("js", "the Jensen-Shannon divergence instead", f(beta * (f(b) - f(a)))),
        Wrong("sign", "the exponential has the wrong sign", f(beta * (exp(a) - exp(b)))),
        Wrong("policy-sign", "the two responses are swapped", f(beta * (phi(b) - phi(a)))),
        Wrong("no-beta", "beta is ignored", f(phi(a) - phi(b))),
    ),
)
