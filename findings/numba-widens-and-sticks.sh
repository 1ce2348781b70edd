#!/usr/bin/env bash
# numba 0.68.1 with numpy 2.3.5: compiled, a float32 loss is computed in float64, and a float32 sum is taken one by one.
#
# Guessed: njit keeps NumPy 2's types. Seen: a float32 array times the Python number 0.1 is float32 in NumPy and float64 compiled, so that the
# compiled loss is not the one that trains. Guessed: array.sum() is NumPy's pairwise sum. Seen: of 20,000,000 float32 ones it is 16777216, and
# the mean 0.8388608; NumPy gives 20000000 and 1. The quantile 1/2 of [-inf, -inf, 2] is -inf compiled and NaN in NumPy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numba==0.68.1 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import warnings

import numba
import numpy as np

warnings.simplefilter("ignore")
scaled = lambda x: x * 0.1
statistics = lambda x: (x.sum(), x.mean())
middle = lambda x: np.quantile(x, 0.5)
few, many, infinite = np.ones(1, np.float32), np.ones(20_000_000, np.float32), np.array([-np.inf, -np.inf, 2.0])
seen = {}
for name, compiled in (("numpy", lambda f: f), ("numba", numba.njit)):
    total, mean = map(float, compiled(statistics)(many))
    seen[name] = [str(compiled(scaled)(few).dtype), total, round(mean, 6), str(float(compiled(middle)(infinite)))]
print(seen)
assert seen["numpy"] == ["float32", 20_000_000.0, 1.0, "nan"]
assert seen["numba"] == ["float64", 16_777_216.0, 0.838861, "-inf"]
PY
"$folder/venv/bin/python" "$folder/seen.py"
