#!/usr/bin/env bash
# polars 2.1.0: max skips a NaN, and rolling_max, sort, median and > do not; and `nan` in a CSV file makes its column text.
#
# Guessed: NaN is the largest number everywhere, since sort and > make it so. Seen for [1, NaN, 2]: max and cum_max are 2, the
# median is 2 (NaN counted as the largest), the mean NaN, rolling_max NaN, and top_k's first is NaN. The largest difference of two columns, by
# (a - b).abs().max(), is therefore finite where one of them holds NaN.
# Guessed: read_csv takes nan as Python, C and pandas print it. Seen: it takes NaN and inf; with nan or Infinity among its
# first figures a column of losses is String, and no word is said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q polars==2.1.0
cat > "$folder/seen.py" <<'PY'
import io
import math

import polars

column = polars.Series([1.0, math.nan, 2.0])
seen = {
    "max": column.max(),
    "cum_max": column.cum_max()[-1],
    "median": column.median(),
    "mean": column.mean(),
    "rolling_max": column.rolling_max(2)[-1],
    "top_k": column.top_k(1)[0],
    "sort": column.sort()[-1],
    "> 10": bool((column > 10).any()),
}
print(seen)
assert {k: str(v) for k, v in seen.items()} == {
    "max": "2.0",
    "cum_max": "2.0",
    "median": "2.0",
    "mean": "nan",
    "rolling_max": "nan",
    "top_k": "nan",
    "sort": "nan",
    "> 10": "True",
}
kinds = {}
for word in ("NaN", "inf", "nan", "Infinity"):
    kinds[word] = str(polars.read_csv(io.StringIO(f"loss\n0.5\n{word}\n0.25\n"))["loss"].dtype)
print(kinds)
assert kinds == {"NaN": "Float64", "inf": "Float64", "nan": "String", "Infinity": "String"}
PY
"$folder/venv/bin/python" "$folder/seen.py"
