#!/usr/bin/env bash
# pyarrow 25.0.1: the running maximum of negative numbers is 2.2e-308, and what the other statistics make of NaN.
#
# Guessed: cumulative_max of [-1, -2] is [-1, -1]. Seen: 2.2250738585072014e-308 twice, the smallest positive normal number, where the running
# maximum begins; in float32 it is 1.18e-38. cumulative_min is right, and so is max. The best log-probability so far of a run is no log-probability.
# pandas 3.1.1's cummax of float64[pyarrow] is right.
# Guessed: NaN counts everywhere or nowhere. Seen for [1, NaN, 2]: mean, sum and cumulative_mean are NaN; max, quantile, mode and cumulative_max
# skip it; rank, unique, count_distinct and is_in count it; index never finds it. The word nan in a CSV file is null, and inf is inf.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==25.0.1
cat > "$folder/seen.py" <<'PY'
import io
import math

import pyarrow
import pyarrow.compute as pc
import pyarrow.csv

for kind, start in (("float64", 2.0**-1022), ("float32", 2.0**-126)):
    logps = pyarrow.array([-1.0, -2.0], kind)
    print(kind, pc.cumulative_max(logps).to_pylist(), pc.cumulative_min(logps).to_pylist(), pc.max(logps))
    assert pc.cumulative_max(logps).to_pylist() == [start, start]
    assert pc.cumulative_min(logps).to_pylist() == [-1.0, -2.0] and pc.max(logps).as_py() == -1.0
losses = pyarrow.array([1.0, math.nan, 2.0])
seen = {
    "mean": pc.mean(losses).as_py(),
    "max": pc.max(losses).as_py(),
    "quantile": pc.quantile(losses)[0].as_py(),
    "mode": pc.mode(losses)[0].as_py()["mode"],
    "cumulative_max": pc.cumulative_max(losses)[1].as_py(),
    "cumulative_mean": pc.cumulative_mean(losses)[2].as_py(),
    "rank": pc.rank(losses).to_pylist(),
    "count_distinct": pc.count_distinct(losses).as_py(),
    "is_in": pc.is_in(losses, value_set=pyarrow.array([math.nan]))[1].as_py(),
    "index": pc.index(losses, pyarrow.scalar(math.nan)).as_py(),
    "csv": pyarrow.csv.read_csv(io.BytesIO(b"loss\n0.5\nnan\ninf\n"))["loss"].to_pylist(),
}
print(seen)
assert math.isnan(seen.pop("mean")) and math.isnan(seen.pop("cumulative_mean"))
assert seen == {
    "max": 2.0,
    "quantile": 1.5,
    "mode": 1.0,
    "cumulative_max": 1.0,
    "rank": [1, 3, 2],
    "count_distinct": 3,
    "is_in": True,
    "index": -1,
    "csv": [0.5, None, math.inf],
}
PY
"$folder/venv/bin/python" "$folder/seen.py"
