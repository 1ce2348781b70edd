#!/usr/bin/env bash
# gguf 0.19.0 on numpy 2.4.6: in MXFP4 a NaN makes 32 weights 0, and the finest format loses the small weights that the coarsest keeps.
#
# Guessed: a block with a NaN in it is NaN, in every format. Seen: in Q8_0, Q4_0 and Q5_1 all 32 are NaN; in MXFP4, the format of the gpt-oss models,
# all 32 are 0, with no warning: 31 right weights are gone with it, and whoever looks for a NaN in the file finds none.
# Guessed: more bits lose less. Seen: normal weights of size 1e-6, as a difference of adapters has, are all 0 in Q8_0, whose scale is a float16 and
# 127 times smaller than the largest weight; in Q4_0 they are there to 7 % of the largest. A weight of 1 is 0.99994 in Q8_0 and 1 in Q4_0.
# Guessed: an infinity is an infinity. Seen: in Q4_0 it is, and the other 31 of its block are NaN; in Q8_0 all 32 are NaN. A policy that diverged in
# one weight is a finite model, and a small update of one, quantized by itself, is none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q gguf==0.19.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import warnings

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize


def there_and_back(block, name):
    kind = GGMLQuantizationType[name]
    return dequantize(quantize(np.asarray(block, np.float32), kind), kind)


weights = np.random.default_rng(0).standard_normal(32)
one_nan, one_infinity = weights.copy(), weights.copy()
one_nan[3], one_infinity[3] = np.nan, np.inf
with warnings.catch_warnings():
    warnings.simplefilter("error")
    assert there_and_back(one_nan, "MXFP4").tolist() == [0.0] * 32
warnings.simplefilter("ignore")
for name in "Q8_0", "Q4_0", "Q5_0", "Q5_1", "MXFP4":
    nan, infinity = there_and_back(one_nan, name), there_and_back(one_infinity, name)
    small, ones = there_and_back(weights * 1e-6, name), there_and_back(np.ones(32), name)
    error = np.abs(small - weights * 1e-6).max() / np.abs(weights * 1e-6).max()
    print(name, np.isnan(nan).sum(), np.isnan(infinity).sum(), np.isinf(infinity).sum(), error, ones[0])
    assert np.isnan(nan).all() == (name != "MXFP4")
    assert error == 1 if name == "Q8_0" else error < (0.08 if name == "Q4_0" else 0.2)
    assert (ones[0] != 1) == (name == "Q8_0")
assert np.isnan(there_and_back(one_infinity, "Q8_0")).all() and there_and_back(one_infinity, "Q4_0")[3] == np.inf
assert np.isnan(there_and_back(one_infinity, "Q4_0")).sum() == 31
PY
"$folder/venv/bin/python" "$folder/seen.py"
