"""The parts that losses are written with: the inputs, and the log-ratios, margins and logits in every admitted order."""

from __future__ import annotations

from fractions import Fraction

from oracle.expressions.nodes import Node, constant, parameter, softplus, spelled, symbol

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


def smoothed(x: Node) -> Node:
    """f(x) + eps x = (1 - eps) f(x) + eps f(-x)."""
    return spelled((1 - eps) * f(x) + eps * f(-x), f(x) + eps * x)


NAMES = {a: "a", b: "b", margin: "h", z: "z", average_margin: "h_avg"}
"""What formulas call the parts, and what these are."""
MEANINGS = {"a": "pc - rc", "b": "pr - rr", "h": "a - b", "z": "beta (a - b)", "h_avg": "a / lw - b / ll"}
