#!/usr/bin/env bash
# tensorflow-cpu 2.21.0: half-precision means by axis, the slope of a hinge by the order of its arguments, and maxima that skip NaN.
#
# Guessed: reduce_mean of float16 ones is 1. Seen: over a vector it is, and over the first axis of 5000 x 2 ones it is 0.4097, as the
# sum sticks at 2048; of a hundred 1000s it is inf. segment_mean of the ones is 0.4097, and of bfloat16 ones 0.2559. tensordot of the ones with
# themselves is 5000, einsum 2048.
# Guessed: tf.maximum is symmetric. Seen: at a tie its slope goes to the first argument: d/dz maximum(z, 0) is 1 at 0, d/dz maximum(0, z) is 0.
# Guessed: NaN wins a maximum everywhere or nowhere. Seen: reduce_max is NaN; segment_max, top_k and max pooling give 2 of [1, NaN, 2].
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import tensorflow as tf

half, brain = tf.ones(5000, tf.float16), tf.ones(5000, tf.bfloat16)
group = tf.zeros(5000, tf.int32)
means = [
    tf.reduce_mean(half),
    tf.reduce_mean(tf.ones([5000, 2], tf.float16), 0)[0],
    tf.reduce_mean(tf.fill([100], tf.constant(1000, tf.float16))),
    tf.math.segment_mean(half, group)[0],
    tf.math.segment_mean(brain[:1000], group[:1000])[0],
    tf.tensordot(half, half, 1),
    tf.einsum("i,i", half, half),
]
means = [round(float(x), 4) for x in means]
print(means)
assert means == [1.0, 0.4097, math.inf, 0.4097, 0.2559, 5000.0, 2048.0]


def slope(f):
    z = tf.constant(0.0)
    with tf.GradientTape() as tape:
        tape.watch(z)
        y = f(z)
    return float(tape.gradient(y, z))


slopes = [slope(lambda z: tf.maximum(z, 0.0)), slope(lambda z: tf.maximum(0.0, z)), slope(tf.nn.relu)]
print(slopes)
assert slopes == [1.0, 0.0, 0.0]

column = tf.constant([1.0, math.nan, 2.0])
maxima = [
    tf.reduce_max(column),
    tf.math.segment_max(column, [0, 0, 0])[0],
    tf.math.top_k(column, 1)[0][0],
    tf.nn.max_pool1d(column[None, :, None], 3, 1, "VALID")[0, 0, 0],
]
print([float(x) for x in maxima])
assert [str(float(x)) for x in maxima] == ["nan", "2.0", "2.0", "2.0"]
PY
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/seen.py" 2> "$folder/errors" || { tail -5 "$folder/errors"; exit 1; }
