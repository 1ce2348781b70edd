#!/usr/bin/env bash
# jax 0.10.2, CPU: lax.reduce_precision(x, 5, 10) is not the cast to float16.
#
# Guessed: five bits of exponent and ten of mantissa are float16, and the cast and back gives the same. Seen: below 2**-14 it gives 0, where float16
# has subnormals: 3e-5 is 0 and not 2.998e-5. With 8 and 7, bfloat16, subnormals stay: 1e-39 is 1.01e-39 by both. With 4 and 3, 448 is inf, the
# largest of float8_e4m3fn. Whoever simulates half precision by it loses the gradients that loss scaling is there to keep, and some that half
# precision has.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2
cat > "$folder/seen.py" <<'PY'
import jax.numpy as jnp
from jax import lax

x = jnp.array([3e-5, 1e-7, 0.1, 65519.0], jnp.float32)
seen = [x_.tolist() for x_ in (lax.reduce_precision(x, 5, 10), x.astype(jnp.float16).astype(jnp.float32))]
print(seen)
assert seen[0][:2] == [0, 0] and min(seen[1]) > 0 and seen[0][2:] == seen[1][2:]
small = jnp.array([1e-39], jnp.float32)
assert lax.reduce_precision(small, 8, 7).tolist() == small.astype(jnp.bfloat16).astype(jnp.float32).tolist() != [0.0]
largest = jnp.array([448.0], jnp.float32)
seen = [float(lax.reduce_precision(largest, 4, 3)[0]), float(largest.astype(jnp.float8_e4m3fn)[0])]
print(seen)
assert str(seen) == "[inf, 448.0]"
PY
"$folder/venv/bin/python" "$folder/seen.py"
