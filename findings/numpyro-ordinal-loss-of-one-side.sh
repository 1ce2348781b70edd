#!/usr/bin/env bash
# numpyro 0.22.0, jax 0.10.2, CPU: an ordinal loss, for worse, tie and better, is right on one side and infinite on the other.
#
# Guessed: OrderedLogistic's log_prob is taken by log-sigmoids, or cancels on both sides. Seen with the cuts -1 and 1: at the logit 50 the tie is
# -49.145 and the lowest -51, at 20 -19.145 and -21, all right; at -20 and -50 the tie and the highest are -inf, where they are as finite.
# Guessed: Bernoulli(probs=p) clamps both ends alike. Seen: log of p = 0 is -87.3 and of 1 - p at p = 1 it is -15.9; the slope is 0 at both ends.
# The sign of a label decides whether a wrong pair stops the run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpyro==0.22.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import jax
import jax.numpy as jnp
from numpyro.distributions import Bernoulli, OrderedLogistic

cuts = jnp.array([-1.0, 1.0])
seen = {z: [float(OrderedLogistic(z, cuts).log_prob(k)) for k in range(3)] for z in (-50.0, -20.0, 20.0, 50.0)}
ends = [float(Bernoulli(probs=0.0).log_prob(1)), float(Bernoulli(probs=1.0).log_prob(0))]
slopes = [float(jax.grad(lambda p: Bernoulli(probs=p).log_prob(label))(at)) for at, label in ((0.0, 1), (1.0, 0))]
print(seen, ends, slopes)
tie = math.log(math.exp(1) - math.exp(-1))
assert abs(seen[50.0][1] - (tie - 50)) < 1e-3 and abs(seen[50.0][0] + 51) < 1e-3 and abs(seen[20.0][1] - (tie - 20)) < 1e-3
assert seen[-50.0][1:] == [-math.inf] * 2 and seen[-20.0][1:] == [-math.inf] * 2
assert -88 < ends[0] < -87 and -16 < ends[1] < -15 and slopes == [0.0, 0.0]
PY
"$folder/venv/bin/python" "$folder/seen.py"
