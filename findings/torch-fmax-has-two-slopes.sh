#!/usr/bin/env bash
# torch 2.13.0, CPU: reverse and forward mode disagree on the slope of a hinge at its kink and at NaN, and a NaN can have the slope 0.
#
# Guessed: one derivative, whichever mode computes it. Seen at 0: fmax(x, 0) has the slope 1 in reverse and 0 forward; fmax(0, x) 0 and 1;
# clamp(x, min=tensor) 1 and 0; clamp with a number 1 and 1, maximum 1/2 and 1/2, relu 0 and 0. At NaN, maximum(x, 0) is NaN with the slope 1 in
# reverse and 0 forward. gradcheck with check_forward_ad looks only where it is sent, and passes.
# Guessed: the slope of NaN is NaN. Seen: clamp(x, min=0) of NaN is NaN with the slope 0: a diverged hinge loss prints NaN and updates by 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math

import torch
from torch.func import grad, jvp

zero, one = torch.tensor(0.0), torch.tensor(1.0)
functions = {
    "fmax(x, 0)": lambda x: torch.fmax(x, zero),
    "fmax(0, x)": lambda x: torch.fmax(zero, x),
    "clamp(x, tensor)": lambda x: torch.clamp(x, min=zero),
    "clamp(x, 0)": lambda x: torch.clamp(x, min=0),
    "maximum(x, 0)": lambda x: torch.maximum(x, zero),
    "relu": torch.relu,
}


def at(f, x):
    x = torch.tensor(x)
    return [float(f(x)), float(grad(f)(x)), float(jvp(f, (x,), (one,))[1])]


kink = {name: at(f, 0.0) for name, f in functions.items()}
print("value, reverse, forward at 0:", kink)
assert kink == {
    "fmax(x, 0)": [0.0, 1.0, 0.0],
    "fmax(0, x)": [0.0, 0.0, 1.0],
    "clamp(x, tensor)": [0.0, 1.0, 0.0],
    "clamp(x, 0)": [0.0, 1.0, 1.0],
    "maximum(x, 0)": [0.0, 0.5, 0.5],
    "relu": [0.0, 0.0, 0.0],
}
nan = {name: [str(y) for y in at(functions[name], math.nan)] for name in ("maximum(x, 0)", "clamp(x, 0)", "relu")}
print("at NaN:", nan)
assert nan == {"maximum(x, 0)": ["nan", "1.0", "0.0"], "clamp(x, 0)": ["nan", "0.0", "0.0"], "relu": ["nan", "1.0", "1.0"]}
PY
"$folder/venv/bin/python" "$folder/seen.py"
