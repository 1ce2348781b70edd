#!/usr/bin/env bash
# rax 0.4.0, jax 0.10.2, numpy 2.4.6, CPU: ranking losses whose first step is wrong, since a fresh model gives all responses the score 0.
#
# Guessed: the slopes at equal scores are those of the formulas, as the pairwise logistic loss's -1/2 and 1/2 are. Seen for the scores 0, 0 and the
# labels 1, 0: pointwise_sigmoid_loss has -0.75 and -0.25, where -0.25 and 0.25 are right: both scores rise; at 0.001 it is right. listmle_loss has
# -0.375 and 0.375 at equal scores of any size, where -0.5 and 0.5 are right, and of three alike another slope for each.
# Guessed: what `where` masks has no part. Seen: a masked NaN score leaves the losses right; the slopes of pairwise_logistic_loss and
# pairwise_mse_loss are NaN at all scores, those of pointwise_sigmoid_loss at the masked one, those of the hinge, of softmax_loss and of listmle_loss
# are right.
# Guessed: a NaN score that counts has the slope NaN. Seen: pairwise_hinge_loss and pairwise_qr_loss are NaN with the slope 0; ndcg is 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q rax==0.4.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import jax
import jax.numpy as jnp
import rax


def both(name, scores, labels=(1.0, 0.0), where=None):
    def loss(s):
        return getattr(rax, name)(s, jnp.array(labels), where=None if where is None else jnp.array(where))

    value, slope = jax.value_and_grad(loss)(jnp.array(scores))
    print(name, scores, where, value, slope)
    return float(value), [round(float(x), 3) for x in slope]


assert both("pointwise_sigmoid_loss", [0.0, 0.0])[1] == [-0.75, -0.25]
assert both("pointwise_sigmoid_loss", [1e-3, 1e-3])[1] == [-0.25, 0.25]
for equal in 0.0, -5.0:
    assert both("pairwise_logistic_loss", [equal, equal])[1] == [-0.5, 0.5]
    assert both("listmle_loss", [equal, equal])[1] == [-0.375, 0.375]
assert both("listmle_loss", [1e-4, 0.0])[1] == [-0.5, 0.5]
masked = {
    name: both(name, [0.5, 0.0, math.nan], [1.0, 0.0, 1.0], [True, True, False])
    for name in (
        "pairwise_logistic_loss",
        "pairwise_mse_loss",
        "pointwise_sigmoid_loss",
        "pairwise_hinge_loss",
        "softmax_loss",
        "listmle_loss",
    )
}
assert all(math.isfinite(value) for value, _ in masked.values())
broken = {name: [math.isnan(x) for x in slope] for name, (_, slope) in masked.items()}
assert all(broken["pairwise_logistic_loss"]) and all(broken["pairwise_mse_loss"])
assert broken["pointwise_sigmoid_loss"] == [False, False, True]
assert not any(broken["pairwise_hinge_loss"] + broken["softmax_loss"] + broken["listmle_loss"])
for name in "pairwise_hinge_loss", "pairwise_qr_loss":
    value, slope = both(name, [0.0, math.nan])
    assert math.isnan(value) and slope == [0.0, 0.0]
assert float(rax.ndcg_metric(jnp.array([math.nan, math.nan]), jnp.array([1.0, 0.0]))) == 1
PY
"$folder/venv/bin/python" "$folder/seen.py"
