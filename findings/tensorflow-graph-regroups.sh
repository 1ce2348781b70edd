#!/usr/bin/env bash
# tensorflow-cpu 2.21.0: inside tf.function, float arithmetic with constants is regrouped and rewritten.
#
# Guessed: a graph computes what eager mode does, up to fused operations. Seen: (z + 1e20) - 1e20 at z = 1 is 0 eager and 1 in a graph;
# 1e30 * (1e30 * z) at z = 1e-30 is 1e30 eager and inf in a graph; log(1 + z) at 1e-10 is 0 eager and 1e-10 in a graph. So a test of a loss
# in eager mode says nothing of the overflow, the cancellation or the accuracy of the same lines when they train.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import tensorflow as tf


def shifted(z):
    return (z + 1e20) + (-1e20)


def scaled(z):
    return 1e30 * (1e30 * z)


def logarithm(z):
    return tf.math.log(1 + z)


seen = {}
for f, x in ((shifted, 1.0), (scaled, 1e-30), (logarithm, 1e-10)):
    z = tf.constant([x])
    seen[f.__name__] = [float(f(z)[0]), float(tf.function(f)(z)[0])]
print("eager, graph:", seen)
assert seen["shifted"] == [0.0, 1.0]
assert abs(seen["scaled"][0] / 1e30 - 1) < 1e-6 and seen["scaled"][1] == float("inf")
assert seen["logarithm"][0] == 0 and abs(seen["logarithm"][1] / 1e-10 - 1) < 1e-6
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/seen.py" 2> "$folder/errors" || { tail -5 "$folder/errors"; exit 1; }
