"""What mends a known wrong variant, a sentence or two each."""

from __future__ import annotations

BETA = "Use the beta of each call, once, as the factor of the margin: z = beta * margin."
SMOOTHED = "losses = -logsigmoid(z); where eps is not 0, (1 - eps) * losses - eps * logsigmoid(-z)"
"""As it is to be typed: mixed at eps = 0 too it is NaN at an infinity, and torch's softplus has a threshold."""
SMOOTHING = f"Return {SMOOTHED}, with the label_smoothing of each call as eps."
ORDER = (
    "Take the arguments in the order policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, "
    "best by name, and return -logsigmoid(beta * ((pc - rc) - (pr - rr)))."
)
REFERENCE = "Subtract each reference log-probability from the policy's own: (pc - rc) - (pr - rr)."
PAIRS = "Compare each chosen response with the rejected one of its own pair: no roll, sort, interleaving or broadcasting."
FACTOR = "Return the loss itself, times nothing; a mean is the sum over n pairs divided by n."
WHOLE = "Compute each pair's loss from that pair alone, and return it at the pair's own place."
FORMULA = f"With z = beta * margin and eps = label_smoothing, return {SMOOTHED}."
WIDER = "Compute in the dtype of the inputs or a wider one: no .half(), .bfloat16(), .float() or autocast on the way."
BACKWARD = "Let autograd differentiate the loss, or return beta * sigma(-z) with its sign for each argument."
CHUNKS = "Add the losses of all micro-batches and divide once, by the number of all pairs; a mean of means weighs them wrongly."
