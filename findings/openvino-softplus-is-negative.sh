#!/usr/bin/env bash
# openvino 2026.4.1, CPU plugin, seen on x86-64 with AVX2 and AVX-512; its kernels are made for the processor, and others may differ.
#
# Guessed: SoftPlus(-20) is 2.06e-9 or 0, and a float64 model is computed in float64. Seen: it is -1.9e-6, a negative loss; a
# float64 model is computed in float32 without a word (1 + 1e-12 is 1, infinity comes back as 3.4e38), and its SoftPlus is the same -1.9e-6.
# Guessed: NaN in, NaN out. Seen: ReLU, Clamp and Maximum(x, 0) of NaN are 0, and ReduceMax skips it; a diverged hinge loss is 0.
# The float32 sum of 20,000,000 ones is 16777216 and their mean 0.8388608.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.1 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math

import numpy as np
import openvino
import openvino.opset13 as op

core = openvino.Core()
config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


def run(function, x):
    parameter = op.parameter(x.shape, x.dtype)
    model = openvino.Model([op.result(function(parameter))], [parameter], "m")
    return core.compile_model(model, "CPU", config)([x])[0]


for dtype in (np.float32, np.float64):
    softplus = run(op.softplus, np.array([-20.0], dtype))
    print(dtype.__name__, "SoftPlus(-20)", softplus)
    assert softplus.dtype == dtype and -1e-5 < softplus[0] < 0

wide = run(lambda x: op.add(x, np.float64(1e-12)), np.array([1.0, math.inf]))
print("float64: x + 1e-12 at 1 and infinity:", wide)
assert wide[0] == 1 and wide[1] == np.finfo(np.float32).max

nan = np.array([math.nan], np.float32)
kept = [run(f, nan)[0] for f in (op.relu, lambda x: op.clamp(x, 0.0, 1.0), lambda x: op.maximum(x, np.float32(0)))]
largest = run(lambda x: op.reduce_max(x, np.array([0]), False), np.array([1, math.nan, 2], np.float32))
print("of NaN:", kept, "ReduceMax of 1, NaN, 2:", largest)
assert kept == [0.0, 0.0, 0.0] and largest == 2

ones = np.ones(20_000_000, np.float32)
seen = [float(run(lambda x: f(x, np.array([0]), False), ones)) for f in (op.reduce_sum, op.reduce_mean)]
print("sum, mean of 20,000,000 ones:", seen)
assert seen[0] < 20_000_000 and seen[1] < 1
PY
"$folder/venv/bin/python" "$folder/seen.py"
