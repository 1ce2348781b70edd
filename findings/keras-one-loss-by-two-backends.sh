#!/usr/bin/env bash
# keras 3.15.1 with its backends jax 0.10.2 and numpy 2.4.6: one loss by two backends, and gradients clipped to NaN.
#
# Guessed: BinaryCrossentropy(from_logits=True) is taken by log-sigmoid everywhere. Seen for the logit -1000 and the label 1: 1000 by jax, 16.118 by
# numpy, which goes by a clipped probability; -inf gives inf and 16.118. BinaryFocalCrossentropy(from_logits=True) is 16.118 by both.
# Guessed: a label out of range raises, or is NaN as in optax. Seen: 0 by jax for 7 of 2, a perfect prediction; -1 and -100 are 0 by both. AUC of a NaN
# and a right score is 1 by jax and 0 by numpy. The metric Mean of nothing is 0, and so is that of NaN with the weight 0.
# Guessed: clipping of a thousand finite float16 gradients gives their direction, or 0 as in torch. Seen: NaN by global_clipnorm, 0 by clipnorm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math
import os

import keras
import numpy as np
from keras import losses, metrics, ops


def number(x):
    return float(np.asarray(ops.convert_to_numpy(x)))


def entropy(loss, logit):
    return number(loss(from_logits=True)(np.array([[1.0]], "float32"), np.array([[logit]], "float32")))


def labelled(label):
    try:
        return number(losses.SparseCategoricalCrossentropy(from_logits=True)(np.array([label]), np.array([[0.0, -200.0]], "float32")))
    except IndexError:
        return "IndexError"


def clipped(**how):
    gradient = ops.full((1000,), 2500.0, dtype="float16")
    return number(keras.optimizers.SGD(1.0, **how)._clip_gradients([gradient])[0][0])


def mean(*values, **how):
    metric = keras.metrics.Mean()
    for value in values:
        metric.update_state(value, **how)
    return number(metric.result())


backend = os.environ["KERAS_BACKEND"]
seen = {
    "binary": [entropy(losses.BinaryCrossentropy, z) for z in (-1000.0, -20.0, -math.inf)],
    "focal": entropy(losses.BinaryFocalCrossentropy, -1000.0),
    "labels": [labelled(t) for t in (1, 7, -1, -100)],
    "auc": number(metrics.AUC()(np.array([0.0, 1.0]), np.array([math.nan, 1.0], "float32"))),
    "mean": [mean(), mean(math.nan, sample_weight=0.0), mean(1.0, math.nan)],
    "clipped": [clipped(global_clipnorm=1.0), clipped(clipnorm=1.0)],
}
print(backend, seen)
cut = 16.11809539794922
assert seen["binary"] == ([1000.0, 20.0, math.inf] if backend == "jax" else [cut] * 3) and seen["focal"] == cut
assert seen["labels"] == [200.0, 0.0 if backend == "jax" else "IndexError", 0.0, 0.0]
assert seen["auc"] == (1.0 if backend == "jax" else 0.0)
assert seen["mean"][:2] == [0.0, 0.0] and math.isnan(seen["mean"][2])
assert math.isnan(seen["clipped"][0]) and seen["clipped"][1] == 0
PY
export KERAS_HOME="$folder"
for backend in jax numpy; do KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/seen.py"; done
