"""f-DPO with an alpha-divergence: the logit of phi of the two log-ratios."""

from __future__ import annotations

from oracle.expressions.nodes import Node, constant, exp, expm1, parameter, spelled
from oracle.losses._forms import a, b, beta, f, log2, z
from oracle.losses._model import BETA, OPEN_UNIT, Facts, Loss, Parameter, Wrong

alpha = parameter("alpha")


def phi(x: Node) -> Node:
    """f' of the divergence at e**x, up to a constant."""
    return spelled(-expm1(-alpha * x) / alpha, (1 - exp(-alpha * x)) / alpha)


LOSS = Loss(
    name="f_dpo_alpha",
    title="f-DPO with an alpha-divergence",
    definition=f(
        spelled(beta * (phi(a) - phi(b)), beta * ((exp(-alpha * b) - exp(-alpha * a)) / alpha), beta * phi(a) - beta * phi(b))
    ),
    parameters=(
        BETA,
        Parameter("alpha", 0.3, OPEN_UNIT, "alpha of the paper; TRL from 0.29 on takes 1 - alpha", other=0.7),
    ),
    paper="Wang et al. (2023), arXiv:2309.16240",
    equation="theorem 1",
    facts=Facts(convex=False, lower_bound=constant(0), at_reference=log2),
    aliases={
        "TRL <= 0.28": "f_divergence_type=alpha_divergence",
        "ms-swift": "f_divergence_type=alpha_divergence",
        "TRL >= 0.29": "the same with 1 - alpha for alpha",
    },
    compared=({"alpha": 0.5}, {"alpha": 0.7}),
    wrong=(
        Wrong("reverse-kl", "the reverse divergence, plain DPO, instead", f(z)),
        Wrong(
            "complement", "1 - alpha in place of alpha", f(beta * (exp((alpha - 1) * b) - exp((alpha - 1) * a)) / (1 - alpha))
        ),
        Wrong("undivided", "the division by alpha is missing", f(beta * (exp(-alpha * b) - exp(-alpha * a)))),
        Wrong("policy-sign", "the two responses are swapped", f(beta * (phi(b) - phi(a)))),
        Wrong("no-beta", "beta is ignored", f(phi(a) - phi(b))),
    ),
)
