#!/usr/bin/env bash
# sympy 1.14.0: evalf of an exact small loss is 0, and the rewriting to log1p cancels.
#
# Guessed: evalf gives 15 right digits of an exact expression or says that it could not, as it does for 1 - 1/(1 + exp(-50)). Seen:
# log(1 + exp(-50)).evalf() is 0 and nothing is said, where 1.93e-22 is right; evalf(30) has it, and log(1 + exp(-500)).evalf(30) is 0 again.
# evalf(strict=True) gives 0 too.
# Guessed: optimize(log(1 + exp(-x)), optims_c99) is log1p(exp(-x)). Seen: -x + log1p(exp(x)), which cancels to 0 at x = 50 and
# overflows from x = 710: at 800 it is infinite, where the expression as it was written is 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sympy==1.14.0 mpmath==1.3.0
cat > "$folder/seen.py" <<'PY'
import sympy
from sympy.codegen.rewriting import optimize, optims_c99

loss = lambda z: sympy.log(1 + sympy.exp(sympy.Integer(-z)))
seen = [loss(50).evalf(), loss(50).evalf(strict=True), loss(50).evalf(30), loss(500).evalf(30)]
gradient = (1 - 1 / (1 + sympy.exp(sympy.Integer(-50)))).evalf()
print(seen, gradient)
assert seen[0] == seen[1] == seen[3] == 0
assert str(seen[2]).startswith("1.92874984796391778") and str(gradient).startswith("1.928749847963")

x = sympy.symbols("x", real=True)
rewritten = optimize(sympy.log(1 + sympy.exp(-x)), optims_c99)
print(rewritten, "at 50:", sympy.lambdify(x, rewritten, "math")(50))
assert str(rewritten) == "-x + log1p(exp(x))"
assert sympy.lambdify(x, rewritten, "math")(50) == 0
PY
"$folder/venv/bin/python" "$folder/seen.py"
