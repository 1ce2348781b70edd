#!/usr/bin/env bash
# torch 2.13.0, CPU: the derivative of log_ndtr, for a probit loss, is lost where the preference is most wrong.
#
# Guessed: as log_ndtr itself, right to a few units however far down, and so its slope, which is -x there. Seen in float32: the value is right and the
# slope 955.6 at -1000 (1000.001 is right), 3232.7 at -5000, 64930 at -10000, 3.5e6 at -20000, 0.399 at -100000 and 0 at -1e6; forward mode
# gives the same. It is exp of the difference of x**2 / 2 and the value, which cancels. In float64 it holds to 1e-7 at -10000 and is
# 0.399 at -1e9; the second derivative in float64 is -1.54 at -10000 and -7403 at -100000, where -1 is right.
# The wider the margin that is wrong, the more random the step, and from some margin on there is none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import torch
from torch.special import log_ndtr


def slopes(z, dtype):
    x = torch.tensor(z, dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(log_ndtr(x).sum(), x, create_graph=True)
    (curve,) = torch.autograd.grad(slope.sum(), x)
    return log_ndtr(x).tolist(), slope.tolist(), curve.tolist()


z = [-10.0, -100.0, -1000.0, -5000.0, -1e4, -2e4, -1e5, -1e6]
single, double = slopes(z, torch.float32), slopes(z, torch.float64)
print("float32", single)
print("float64", double)
assert all(abs(a / b - 1) < 1e-6 for a, b in zip(single[0], double[0])), "the values agree"
assert all(abs(s + x) < 1e-1 for s, x in zip(double[1][:6], z)), "the slope is -x, and a little more"
off = [abs(a / b - 1) for a, b in zip(single[1], double[1])]
print("float32 slope off by", off)
assert off[0] < 1e-6 and off[2] > 0.02 and all(x > 0.1 for x in off[3:])
assert single[1][-1] == 0 and 0.39 < single[1][-2] < 0.4
assert abs(double[2][2] + 1) < 1e-3 and double[2][4] < -1.3 and double[2][6] < -100
PY
"$folder/venv/bin/python" "$folder/seen.py"
