#!/usr/bin/env bash
# tinygrad 0.14.0 (backend PYTHON, which needs no compiler; CPU with clang 14 gives the same): a sort that replaces numbers, and a log-sigmoid that is
# right in its slope alone.
#
# Guessed: sort puts NaN first or last. Seen: [1, NaN, 2, -1] is sorted to [-1, 1, 1, 2], where 1 is there twice and NaN not; [NaN, 1, 2, -1] to NaN
# four times. topk goes the same way: a median or a trimmed mean of losses is of numbers that are not there. max of [1, NaN] is 1 and relu(NaN) is 0.
# Guessed: log-sigmoid loses its tail in value and slope, or in neither. Seen in float32: at 17 the value is 0, where -4.1e-8 is right, and the
# slope 4.14e-8 is right; at 16 the value is -1.19e-7 (-1.125e-7). In float64 it is 0 from 37 on. A run goes on learning while its loss is 0.
# At -inf the value is NaN. Guessed: binary_crossentropy of the certain and right probability is 0. Seen: NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tinygrad==0.14.0
cat > "$folder/seen.py" <<'PY'
import math

from tinygrad import Tensor, dtypes

inf, nan = math.inf, math.nan
first, second = (Tensor(x).sort()[0].tolist() for x in ([1.0, nan, 2.0, -1.0], [nan, 1.0, 2.0, -1.0]))
largest, hinge = Tensor([1.0, nan]).max().tolist(), Tensor([nan]).relu().tolist()
print(first, second, Tensor([3.0, nan, 2.0, -1.0]).topk(2)[0].tolist(), largest, hinge)
assert first == [-1.0, 1.0, 1.0, 2.0] and all(map(math.isnan, second)) and (largest, hinge) == (1.0, [0.0])


def log_sigmoid(z, dtype):
    x = Tensor(z, dtype=dtype).realize()
    return x.logsigmoid().tolist(), x.logsigmoid().sum().gradient(x)[0].tolist()


z = [-50.0, 10.0, 16.0, 17.0, 40.0]
value, slope = log_sigmoid(z, dtypes.float32)
print(value, slope)
assert value[3:] == [0.0, 0.0] and 1.19e-7 < -value[2] < 1.2e-7
assert all(abs(s * (1 + math.exp(x)) - 1) < 1e-5 for s, x in zip(slope, z))
double, slope = log_sigmoid([36.0, 37.0, 40.0], dtypes.float64)
print(double, slope)
assert double[1:] == [0.0, 0.0] and all(slope)
assert math.isnan(log_sigmoid([-inf], dtypes.float32)[0][0])
assert math.isnan(Tensor([1.0]).binary_crossentropy(Tensor([1.0]), reduction="none").tolist()[0])
PY
DEV=PYTHON "$folder/venv/bin/python" "$folder/seen.py"
