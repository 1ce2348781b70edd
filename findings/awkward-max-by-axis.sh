#!/usr/bin/env bash
# awkward 2.14.0 on numpy 2.4.6: max along an axis skips a NaN that max of all keeps, and softmax overflows.
#
# Guessed: NumPy's rules, along every axis. Seen for [1, NaN, 2]: max is NaN, as NumPy's, and along axis 1 of [[1, NaN, 2]] it is 2; argmax is 2
# either way, the place of a number that is not the maximum; sort puts NaN first. Ragged rewards are reduced along an axis.
# Guessed: softmax takes off the maximum. Seen: exp(x) / sum(exp(x)): of [1000, 1000] and of [-1000, -1000] it is NaN, of [-800, 0] right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q awkward==2.14.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import awkward
import numpy

numpy.seterr(all="ignore")
flat, ragged = awkward.Array([1.0, math.nan, 2.0]), awkward.Array([[1.0, math.nan, 2.0], [3.0]])
seen = {
    "max": str(awkward.max(flat)),
    "max along": str(awkward.max(ragged, axis=1)[0]),
    "argmax": [int(awkward.argmax(flat)), int(awkward.argmax(ragged, axis=1)[0])],
    "sort": str(awkward.sort(flat)[0]),
    "softmax": [str(awkward.softmax(awkward.Array([x]), axis=-1).to_list()) for x in ([1000.0, 1000.0], [-1000.0, -1000.0], [-800.0, 0.0])],
}
print(seen)
assert seen == {
    "max": "nan",
    "max along": "2.0",
    "argmax": [2, 2],
    "sort": "nan",
    "softmax": ["[[nan, nan]]", "[[nan, nan]]", "[[0.0, 1.0]]"],
}
PY
"$folder/venv/bin/python" "$folder/seen.py"
