#!/usr/bin/env bash
# tinygrad 0.14.0 (backend PYTHON, which needs no compiler; CPU with clang 14 gives the same): its graph cancels what was written, NaN, infinity and
# casts to half precision included.
#
# Guessed: a cast to half is a cast, and 0 times NaN is NaN. Seen: x.half().float() is x, so that 70000 stays 70000 and 1e-8 stays 1e-8, unless
# half() is realized first, when they are inf and 0. z * 0, z - z are 0 and z / z is 1 for infinity and NaN; (z + 1e20) - 1e20 is z.
# A loss is in half precision by where one looks at it; a mask of 0, a number, hides NaN, and the same mask as a tensor does not.
# Guessed: indexing past the end raises. Seen: x[-100] by a tensor and gather of -100 or 5 of three are 0: the log-probability of an ignored label is
# 0, that of a certain token.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q tinygrad==0.14.0
cat > "$folder/seen.py" <<'PY'
import math

from tinygrad import Tensor

inf, nan = math.inf, math.nan
z = Tensor([1.0, inf, nan]).realize()
wide = Tensor([70000.0, 1e-8, 2049.0]).realize()
seen = {
    "half and back": wide.half().float().tolist(),
    "realized half and back": wide.half().realize().float().tolist(),
    "z * 0": (z * 0).tolist(),
    "z - z": (z - z).tolist(),
    "z / z": (z / z).tolist(),
    "(z + 1e20) - 1e20": ((z[:1] + 1e20) - 1e20).tolist(),
    "masked by a tensor": [str(x) for x in (z * Tensor([1.0, 0.0, 0.0]).realize()).tolist()],
    "index of -100 and 1": Tensor([-1.0, -2.0, -3.0])[Tensor([-100, 1])].tolist(),
    "gather of -100, 5 and 1": Tensor([[-1.0, -2.0, -3.0]]).gather(1, Tensor([[-100, 5, 1]])).tolist(),
}
for name, value in seen.items():
    print(name, value)
values = list(seen.values())
assert values[0] == wide.tolist() and values[1] == [inf, 0.0, 2048.0]
assert values[2:6] == [[0.0] * 3, [0.0] * 3, [1.0] * 3, [1.0]]
assert values[6] == ["1.0", "nan", "nan"] and values[7:] == [[0.0, -2.0], [[0.0, 0.0, -2.0]]]
PY
DEV=PYTHON "$folder/venv/bin/python" "$folder/seen.py"
