#!/usr/bin/env bash
# numpy-quaddtype 1.0.0 on numpy 2.4.6: the mean of quadruple numbers is a double, and so is what an f-string prints.
#
# Guessed: mean, var and median keep the dtype, as sum and max do. Seen: the mean of 0.1, 0.1, 0.1 is 0.1 + 5.6e-18, the double 0.1, in a quadruple
# number; by axis, or as sum / 3, it is right to 34 digits. median, average and var of a vector are doubles likewise.
# Guessed: formatting shows the number. Seen: f"{x}" of 2/3 is 0.6666666666666666 and f"{x:.40f}" of 0.1 has the digits of the double; 1e400 is inf
# and 1e-400 is 0 there. str and repr have 34 digits.
# Guessed: a cast to float32 or float16 is rounded once. Seen: it goes by the double, so that 1 + 2**-24 + 2**-80 is 1; and half of the least
# subnormal of float64, and a bit more, is 0. Guessed: argmax is where max is. Seen: of [1, NaN, 2] max is NaN and argmax 2, where NumPy's is 1.
# Whoever takes it for the truth of a loss has 53 bits as soon as a mean over the batch is taken, and a dtype that says 113.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy-quaddtype==1.0.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import numpy as np
from numpy_quaddtype import QuadPrecDType, QuadPrecision


def array(*texts):
    return np.array([QuadPrecision(text) for text in texts], dtype=QuadPrecDType())


tenths, double, two = array("0.1", "0.1", "0.1"), QuadPrecision(0.1), QuadPrecision(2)
means = [f(tenths) for f in (np.mean, np.median, np.average)]
by_axis = np.mean(np.stack([tenths, tenths]), axis=1)[0]
variance = np.var(array("1", "2", "4")) - QuadPrecision(14) / 9
print(means, by_axis, variance)
assert all(mean == double for mean in means) and abs(variance) > QuadPrecision("1e-17")
assert abs(by_axis - QuadPrecision("0.1")) < QuadPrecision("1e-33") and abs(tenths.sum() / 3 - QuadPrecision("0.1")) < QuadPrecision("1e-33")
shown = [f"{two / 3}", f"{tenths[0]:.40f}", f"{QuadPrecision('1e400'):.3e}", f"{QuadPrecision('1e-400'):.3e}", str(two / 3)]
print(shown)
assert shown[:4] == ["0.6666666666666666", "0.1000000000000000055511151231257827021182", "inf", "0.000e+00"] and len(shown[4]) > 34
above = np.array([1 + two**-24 + two**-80, 1 + two**-11 + two**-70], dtype=QuadPrecDType())
least = float(two**-1075 * (1 + two**-60))
print(above.astype(np.float32)[0], above.astype(np.float16)[1], least)
assert above.astype(np.float32)[0] == 1 and above.astype(np.float16)[1] == 1 and least == 0
broken = array("1", "nan", "2")
print(np.max(broken), np.argmax(broken), np.argmax([1, np.nan, 2]))
assert np.isnan(np.max(broken)) and np.argmax(broken) == 2 and np.argmax([1, np.nan, 2]) == 1
PY
"$folder/venv/bin/python" "$folder/seen.py"
