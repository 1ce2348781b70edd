#!/usr/bin/env bash
# optax 0.2.8, jax 0.10.2, CPU: gradient accumulation that never forgets one NaN, and a guard that makes it silent.
#
# Guessed: MultiSteps begins each accumulation at zero. Seen: it multiplies what it has by 0, so that a NaN or an infinity in one of three micro-steps
# stays in the accumulator for ever. Plain, the updates are NaN from that micro-step on, in micro-steps that should give 0 as well.
# Guessed: apply_if_finite(inner, 99) or zero_nans inside MultiSteps loses the step in question. Seen: all steps after it: the updates are 0 to
# the end, of gradients that are 1 and with a loss that prints well. apply_if_finite around MultiSteps, zero_nans before it or
# should_skip_update_fn=skip_not_finite lose the one micro-step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import jax.numpy as jnp
import optax


def updates(optimizer, wrong):
    parameters = jnp.zeros(1)
    state, seen = optimizer.init(parameters), []
    for gradient in [1.0, wrong] + [1.0] * 10:
        update, state = optimizer.update(jnp.array([gradient]), state, parameters)
        seen.append(float(update[0]))
    return seen


plain = optax.sgd(1.0)
seen = {
    "plain": updates(optax.MultiSteps(plain, 3), math.inf),
    "finite inside": updates(optax.MultiSteps(optax.apply_if_finite(optax.adam(1.0), 99), 3), math.nan),
    "zero_nans inside": updates(optax.MultiSteps(optax.chain(optax.zero_nans(), plain), 3), math.nan),
    "finite outside": updates(optax.apply_if_finite(optax.MultiSteps(plain, 3), 99), math.nan),
    "zero_nans before": updates(optax.chain(optax.zero_nans(), optax.MultiSteps(plain, 3).gradient_transformation()), math.nan),
    "skip": updates(optax.MultiSteps(plain, 3, should_skip_update_fn=optax.skip_not_finite), math.nan),
}
for name, value in seen.items():
    print(name, value)
assert all(map(math.isnan, seen["plain"][2:]))
assert not any(seen["finite inside"]) and not any(seen["zero_nans inside"])
assert all(sum(seen[name]) <= -3 for name in ("finite outside", "skip", "zero_nans before"))
PY
"$folder/venv/bin/python" "$folder/seen.py"
