#!/usr/bin/env bash
# onnxruntime 1.32.0, CPU provider, ONNX 1.23.2: what Softplus, ReduceMax and Cast do, against ONNX's own reference evaluator.
#
# Guessed: Softplus is at least as exact in float64 as in float32. Seen: at -50 it is 1.93e-22 in float32 and 0 in float64, which takes
# log(1 + exp(x)); at -20 the float64 answer has 8 right digits. An exported loss gets worse as the model is widened.
# Guessed: ReduceMax propagates NaN or skips it. Seen: NaN first gives NaN, NaN second is skipped (2 of [1, NaN, 2]); the reference
# evaluator gives NaN for both. Guessed: Cast of float64 to string gives 17 digits. Seen: 8: 1/3 is '0.33333333'.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxruntime==1.32.0 onnx==1.23.2 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math
import warnings

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

warnings.simplefilter("ignore")


def both(operator, x, **attributes):
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    values = [helper.make_tensor_value_info("x", kind, x.shape)], [helper.make_tensor_value_info("y", attributes.get("to", kind), None)]
    model = helper.make_model(helper.make_graph([node], "g", *values), opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0].flatten(), ReferenceEvaluator(model).run(None, {"x": x})[0].flatten()


for dtype in (np.float32, np.float64):
    run, reference = both("Softplus", np.array([-20, -50], dtype))
    print(dtype.__name__, run, "reference", reference)
    small = [math.log1p(math.exp(-20)), math.log1p(math.exp(-50))]
    if dtype is np.float32:
        assert np.allclose(run, small, rtol=1e-5, atol=0)
    else:
        assert run[1] == 0 and 1e-9 < abs(run[0] / small[0] - 1) < 1e-6

for order, expected in (([math.nan, 1, 2], "nan"), ([1, math.nan, 2], "2.0")):
    run, reference = both("ReduceMax", np.array([order], np.float32))
    print(order, "ReduceMax", run, "reference", reference)
    assert str(float(run[0])) == expected and np.isnan(reference[0])

run, reference = both("Cast", np.array([1 / 3]), to=TensorProto.STRING)
print("Cast", run, "reference", reference)
assert str(run[0]) == "0.33333333" and str(reference[0]) == "0.3333333333333333"
PY
"$folder/venv/bin/python" "$folder/seen.py"
