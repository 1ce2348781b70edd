#!/usr/bin/env bash
# jax 0.10.2, CPU: jnp.max and jnp.min over float32 values lose a NaN from some length on, and segment_sum sticks in bfloat16.
#
# Seen on 29 November 2026, x86-64: jnp.max of 8,192 ones with a NaN among them is 1.0, and so is jnp.min; of 16 it is NaN. A check by the
# largest absolute difference, jnp.max(jnp.abs(a - b)), calls a run with NaN perfect. jax.ops.segment_sum of 1,000 bfloat16 numbers
# -1 is -256, where jnp.sum gives -1000.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'jax==0.10.2' 'jaxlib==0.10.2' 'numpy==2.3.5'
"$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp

print("jax", jax.__version__)


def largest(n):
    values = jnp.ones(n).at[n // 2].set(jnp.nan)
    return [float(jnp.max(values)), float(jnp.min(values)), float(jnp.max(jnp.abs(values - 1)))]


print("max, min, largest absolute difference of 16", largest(16))
print("of 8192", largest(8192))
assert all(x != x for x in largest(16))
assert largest(8192) == [1.0, 1.0, 0.0]

ones = jnp.full((1000,), -1.0, jnp.bfloat16)
seen = [float(jax.ops.segment_sum(ones, jnp.zeros(1000, int), 1)[0]), float(jnp.sum(ones))]
print("segment_sum, sum", seen)
assert seen == [-256.0, -1000.0]
PYTHON
