#!/usr/bin/env bash
# numpy 2.3.5: what its own comparisons and statistics make of infinity.
#
# Guessed: assert_array_max_ulp refuses infinity where a finite number is due, as assert_allclose does. Seen: infinity and the largest
# finite number are one ulp apart, so that an overflowed float16 loss of inf passes for 65504 with maxulp=1; and inf and NaN are 512
# float16 ulps apart.
# Guessed: the quantile 1/2 of an odd number of values is the median. Seen: of [-inf, -inf, 2] numpy.median is -inf, and
# numpy.quantile and percentile are NaN; so is the 50% of pandas' describe, and pandas' median is -inf.
# Guessed: nanmean without a NaN is mean. Seen: mean of a hundred float16 1000s is 1000; nanmean, average with weights and linalg.norm are inf, and so
# are std and nanstd, of which the exact value is 0.
# numpy.logaddexp.reduce of 5,000 float16 zeros is 6.24, where log 5000 is 8.52: it sticks.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.3.5 pandas==3.1.1
cat > "$folder/seen.py" <<'PY'
import warnings

import numpy as np
import pandas

warnings.simplefilter("ignore")
half = np.float16
np.testing.assert_array_max_ulp(half(np.inf), half(65504), maxulp=1)
np.testing.assert_array_max_ulp(np.float64(np.inf), np.finfo(np.float64).max, maxulp=1)
np.testing.assert_array_max_ulp(half(np.inf), half(np.nan), maxulp=512)
try:
    np.testing.assert_allclose(half(np.inf), half(65504), rtol=1e30)
except AssertionError:
    print("assert_allclose refuses inf for 65504; assert_array_max_ulp takes it")
else:
    raise SystemExit("assert_allclose takes it now")

values = [-np.inf, -np.inf, 2.0]
series = pandas.Series(values)
seen = [np.median(values), np.quantile(values, 0.5), np.percentile(values, 50), series.median(), series.describe()["50%"]]
print("median, quantile, percentile, pandas' median and describe:", seen)
assert [str(float(x)) for x in seen] == ["-inf", "nan", "nan", "-inf", "nan"]

many = np.full(100, 1000, half)
seen = [np.mean(many), np.nanmean(many), np.average(many, weights=np.ones(100, half)), np.std(many), np.nanstd(many)]
seen = [float(x) for x in (*seen, np.linalg.norm(many))]
print("mean, nanmean, average, std, nanstd, norm:", seen)
assert seen == [1000.0] + [np.inf] * 5

stuck = float(np.logaddexp.reduce(np.zeros(5000, half)))
print("logaddexp.reduce:", stuck, "exact:", np.log(5000))
assert stuck == 6.23828125
PY
"$folder/venv/bin/python" "$folder/seen.py"
