#!/usr/bin/env bash
# jax 0.10.2, @tensorflow/tfjs 4.22.0 (CPU backend), autograd 1.9.1: the slope of |x| and of a hinge at the kink.
#
# Guessed: 0 for |x| everywhere, since sign(0) is 0, and one value for all spellings of max(x, 0) of one library. Seen for |x| at 0: autograd 0, JAX 1,
# tfjs -1. Seen for max(x, 0) at 0: JAX 0 by relu and fmax, 1/2 by maximum and clip, autograd 1/2 by maximum and 0 by clip, tfjs 0 by
# relu and 1 by maximum. A hinge loss at the margin, and a loss of |difference| of equal policies (the first step of
# every run), begin with a slope that depends on how they are written.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q jax==0.10.2 jaxlib==0.10.2 autograd==1.9.1 numpy==2.3.5
npm install --silent --no-fund --no-audit @tensorflow/tfjs@4.22.0 > /dev/null
cat > seen.py <<'PY'
import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp

seen = {
    "jax": [float(jax.grad(f)(0.0)) for f in (jnp.abs, jax.nn.relu, lambda x: jnp.fmax(x, 0.0), lambda x: jnp.maximum(x, 0.0), lambda x: jnp.clip(x, 0.0))],
    "autograd": [float(autograd.grad(f)(0.0)) for f in (anp.abs, lambda x: anp.maximum(x, 0.0), lambda x: anp.clip(x, 0.0, 1.0))],
}
print(seen)
assert seen == {"jax": [1.0, 0.0, 0.0, 0.5, 0.5], "autograd": [0.0, 0.5, 0.0]}
PY
venv/bin/python seen.py
cat > seen.js <<'JS'
const assert = require('assert')
const tf = require('@tensorflow/tfjs')
tf.setBackend('cpu').then(() => {
  const functions = [(x) => tf.abs(x), (x) => tf.relu(x), (x) => tf.maximum(x, tf.scalar(0))]
  const seen = functions.map((f) => tf.grad(f)(tf.scalar(0)).dataSync()[0])
  console.log('tfjs', seen)
  assert.deepStrictEqual(seen, [-1, 0, 1])
}).catch((error) => { console.error(error); process.exit(1) })
JS
node seen.js 2> errors | grep '^tfjs' || { tail -5 errors; exit 1; }
