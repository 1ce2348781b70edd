#!/usr/bin/env bash
# autograd 1.9.1 on numpy 2.4.6: the second derivative of tanh is NaN from 711 on, and that of a loss by tanh with it.
#
# Guessed: 0, as the first derivative is. Seen: the first is 1 / cosh(x)**2, which is 0 in the end; its own derivative divides one overflow by
# another. The second derivative of logaddexp is 0 there. A sigmoid written by tanh, for it cannot overflow, trains and has no curvature; Newton's
# step is NaN for the pairs that were learned best.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q autograd==1.9.1 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import autograd.numpy as np
from autograd import grad

np.seterr(all="ignore")


def tanh(z):
    return np.tanh(z)


def softplus(z):
    return np.logaddexp(0.0, -z)


seen = {f.__name__: [float(g(x)) for x in (20.0, 800.0) for g in (grad(f), grad(grad(f)))] for f in (tanh, softplus)}
print(seen, grad(grad(tanh))(710.0), grad(grad(tanh))(711.0))
assert seen["tanh"][0] > 0 > seen["tanh"][1] and seen["tanh"][2] == 0 and math.isnan(seen["tanh"][3])
assert seen["softplus"][1] > 0 and seen["softplus"][2:] == [0, 0]
PY
"$folder/venv/bin/python" "$folder/seen.py"
