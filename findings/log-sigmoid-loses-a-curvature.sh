#!/usr/bin/env bash
# torch 2.13.0 and jax 0.10.2, CPU, float32: the second derivative of log-sigmoid vanishes on one side, and not on the same one.
#
# Guessed: -sigmoid(z) sigmoid(-z) on both sides, as the first derivative is right on both. Seen: torch's is right at -30 (-9.36e-14) and 0 from
# 17 on; JAX's is right at 30 and 0 at -30. Each is 1 - s of a rounded s. In torch float64 it is 0 from 37 on. Newton steps, influence functions,
# Hessian-vector products and bilevel tuning of beta see no curvature where the preference is learned (torch) or is wrong (JAX).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import jax
import torch

exact = -9.357622968838e-14
log_sigmoid = torch.nn.functional.logsigmoid
both = lambda z, dtype=torch.float32: float(torch.func.grad(torch.func.grad(log_sigmoid))(torch.tensor(z, dtype=dtype)))
torchs = [both(-30.0), both(30.0), both(17.0), both(37.0, torch.float64)]
jaxs = [float(jax.grad(jax.grad(jax.nn.log_sigmoid))(z)) for z in (-30.0, 30.0)]
print("torch at -30, 30, 17 and at 37 in float64:", torchs)
print("jax at -30, 30:", jaxs)
near = lambda x: abs(x / exact - 1) < 1e-5
assert near(torchs[0]) and torchs[1:] == [0.0, 0.0, 0.0]
assert near(jaxs[1]) and jaxs[0] == 0
PY
"$folder/venv/bin/python" "$folder/seen.py"
