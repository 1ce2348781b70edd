"""The parts that losses are written with: the inputs, and the log-ratios, margins and logits in every admitted order."""

from __future__ import annotations

from fractions import Fraction

from oracle.expressions.nodes import Node, constant, exp, log, log1mexp, parameter, sigmoid, softplus, spelled, symbol

pc, pr = symbol("policy_chosen_logps"), symbol("policy_rejected_logps")
rc, rr = symbol("ref_chosen_logps"), symbol("ref_rejected_logps")
lw, ll = symbol("chosen_lengths"), symbol("rejected_lengths")
beta, eps = parameter("beta"), parameter("label_smoothing")
half = constant(Fraction(1, 2))
log2 = softplus(constant(0))

a, b = pc - rc, pr - rr
"""The log-ratios of the chosen and of the rejected response."""

margin = spelled(
    a - b,
    (pc - pr) - (rc - rr),
    ((pc - pr) - rc) + rr,
    ((pc - pr) + rr) - rc,
    ((pc - rc) - pr) + rr,
    ((pc - rc) + rr) - pr,
    ((rr - pr) + pc) - rc,
    ((rr - pr) - rc) + pc,
    ((rr - rc) + pc) - pr,
    ((rr - rc) - pr) + pc,
)
z = spelled(beta * margin, beta * a - beta * b, beta * (pc - pr) - beta * (rc - rr))
"""The logit beta (a - b)."""
r_w, r_l = beta * a, beta * b
"""The implicit rewards."""

pc_mean, pr_mean = pc / lw, pr / ll
average_margin = spelled(
    a / lw - b / ll,
    (pc / lw - rc / lw) - (pr / ll - rr / ll),
    (pc / lw - pr / ll) - (rc / lw - rr / ll),
)
"""a / lw - b / ll: what a library has that divides by the length after, or before, it subtracts."""

ipo_target = spelled(1 / (2 * beta), half / beta, half * (1 / beta))


def f(x: Node) -> Node:
    """softplus(-x) = -log sigmoid(x)."""
    return softplus(-x)


def logistic(x: Node) -> Node:
    """sigmoid(x), or as most libraries have it of a falling one, 1 - sigmoid(-x): right to an error relative to 1."""
    return spelled(sigmoid(x), 1 - sigmoid(-x))


def log_odds(x: Node) -> Node:
    """log(p / (1 - p)) of p = e**x."""
    return x - log_rest(x)


def log_rest(x: Node) -> Node:
    """log(1 - e**x), from expm1 or, as most libraries have it, from the rounded e**x: good for nothing near x = 0."""
    return spelled(log1mexp(x), log(1 - exp(x)))


def smoothed(x: Node) -> Node:
    """f(x) + eps x = (1 - eps) f(x) + eps f(-x)."""
    return spelled((1 - eps) * f(x) + eps * f(-x), f(x) + eps * x)


NAMES = {a: "a", b: "b", margin: "h", z: "z", average_margin: "h_avg"}
"""What formulas call the parts, and what these are."""
MEANINGS = {"a": "pc - rc", "b": "pr - rr", "h": "a - b", "z": "beta (a - b)", "h_avg": "a / lw - b / ll"}
