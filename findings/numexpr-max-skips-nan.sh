#!/usr/bin/env bash
# numexpr 2.14.2 on numpy 2.4.6: its maximum skips NaN, its float32 sum sticks, and a constant widens it.
#
# Guessed: max and sum are NumPy's. Seen: max(abs(a - b)) is finite where a holds one NaN. sum of 20,000,000 float32 ones is 16777216 and in
# float32; of x * 1.0 it is 20000000 and in float64, as a written constant is a float64 (NumPy 2 keeps float32). The same loss has another accuracy
# by whether beta is a variable or a figure in the text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numexpr==2.14.2 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import numexpr
import numpy

numexpr.set_num_threads(1)
a, b = numpy.array([1.0, math.nan, 2.5]), numpy.array([1.0, 2.0, 2.0])
seen = float(numexpr.evaluate("max(abs(a - b))"))
print(seen, numpy.abs(a - b).max())
assert seen == 0.5
x, beta = numpy.ones(20_000_000, numpy.float32), numpy.float32(1)
for text, total, kind in (("sum(x)", 16777216, "float32"), ("sum(x * beta)", 16777216, "float32"), ("sum(x * 1.0)", 20000000, "float64")):
    seen = numexpr.evaluate(text)
    print(text, float(seen), seen.dtype)
    assert (float(seen), str(seen.dtype)) == (total, kind)
PY
"$folder/venv/bin/python" "$folder/seen.py"
