#!/usr/bin/env bash
# casadi 3.8.2: norm_inf, mmax and fmax skip NaN, and its graph cancels NaN and infinity away.
#
# Guessed: norm_inf of a vector with NaN is NaN. Seen: norm_inf([1, NaN, 2]) is 2, so that the largest difference of two losses is finite where
# one is NaN. Guessed: an expression graph keeps the arithmetic that was written. Seen: s - s is 0 at infinity, 0 * s is 0 at
# NaN, s == s is 1 at NaN, and (s + 1e-20) - 1e-20 and log(exp(s)) are s: a cancellation that one wants to study is gone, and
# the test `s == s` for NaN finds none. log(1 + exp(s)) is left as it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q casadi==3.8.2 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math

import casadi

vector = casadi.DM([1, math.nan, 2])
s = casadi.SX.sym("s")
at = lambda expression, x: float(casadi.Function("f", [s], [expression])(x))
seen = [float(casadi.norm_inf(vector)), float(casadi.mmax(vector)), at(casadi.fmax(s, 0), math.nan)]
gone = [at(s - s, math.inf), at(0 * s, math.nan), at(s == s, math.nan)]
forms = [str(x) for x in ((s + 1e-20) - 1e-20, casadi.log(casadi.exp(s)), casadi.log(1 + casadi.exp(s)))]
print(seen, gone, forms)
assert seen == [2.0, 2.0, 0.0] and gone == [0.0, 0.0, 1.0] and forms == ["s", "s", "log((1+exp(s)))"]
PY
"$folder/venv/bin/python" "$folder/seen.py"
