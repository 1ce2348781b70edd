#!/usr/bin/env bash
# ml_dtypes 0.6.0 on numpy 2.3.5: casts of float64 that round twice, a mean that is off by four, a sort that does not sort.
#
# Guessed: float64 to bfloat16 is rounded once, as float64 to float16 is. Seen: it goes through float32, so that 1 + 2**-8 + 2**-40, above the
# middle between 1 and 1.0078125, becomes 1. For the 8-bit formats the constructor rounds once and astype twice:
# float8_e4m3fn(x) is 1.125 and numpy.float64(x).astype(float8_e4m3fn) is 1.
# Guessed: the mean of ones is 1, since numpy widens float16 there. Seen: of 1,000 bfloat16 ones it is 0.2559 (the sum sticks at 256), and
# so is their variance; numpy.dot of the same is 1000.
# Guessed: numpy.sort puts NaN last. Seen: of bfloat16 [1, NaN, 0] it gives [1, NaN, 0].
# float4_e2m1fn has no NaN and takes it for -0; float8_e8m0fnu has no zero and takes 0 for NaN, and 3e38 too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ml_dtypes==0.6.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math

import ml_dtypes
import numpy as np

bf16, fp8 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn


def three(dtype, bits):
    x = 1 + 2.0 ** -(bits + 1) + 2.0**-40
    return [float(dtype(x)), float(np.array([x]).astype(dtype)[0]), 1 + 2.0**-bits]


print("constructor, astype, nearest:", three(np.float16, 10), three(bf16, 7), three(fp8, 3))
assert three(np.float16, 10) == [1.0009765625] * 3
assert three(bf16, 7) == [1.0, 1.0, 1.0078125]
assert three(fp8, 3) == [1.125, 1.0, 1.125]

ones = np.ones(1000, bf16)
seen = [float(x) for x in (ones.sum(), ones.mean(), ones.var(), np.dot(ones, ones), np.ones(1000, np.float16).mean())]
print("sum, mean, variance, dot; mean in float16:", seen)
assert seen == [256.0, 0.255859375, 0.255859375, 1000.0, 1.0]

order = [str(x) for x in np.sort(np.array([1, math.nan, 0], bf16))]
print("sorted:", order, "in float16:", np.sort(np.array([1, math.nan, 0], np.float16)))
assert order == ["1", "nan", "0"]

four = float(np.float32(math.nan).astype(ml_dtypes.float4_e2m1fn))
scale = np.array([0, 3e38], np.float32).astype(ml_dtypes.float8_e8m0fnu).astype(np.float32)
print("NaN in float4_e2m1fn:", four, "and 0, 3e38 in float8_e8m0fnu:", scale)
assert str(four) == "-0.0" and np.isnan(scale).all()
PY
"$folder/venv/bin/python" "$folder/seen.py"
