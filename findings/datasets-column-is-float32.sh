#!/usr/bin/env bash
# datasets 5.2.0 on numpy 2.4.6, pandas 3.1.1, pyarrow 25.0.1: a column of float64 is float32 as NumPy, and float64 row by row.
#
# Guessed: with_format("numpy") gives the dtype that the features state. Seen: of a Value("float64") column and of each slice of rows it gives float32,
# so that 1e-50 is 0, 1e300 inf and ln 2 has 24 bits; of one row, dataset[0], it gives float64. int64 and the formats pandas and arrow keep what is
# there. A reference log-probability that is stored in float64 has two accuracies in one file, by how it is read.
# Guessed: to_json writes what to_csv writes. Seen: ln 2 has ten digits, and NaN, missing and infinity are all null; to_csv has 17 digits and inf, and NaN
# is nothing there. Reference log-probabilities that were saved as JSON lines are no evidence about ulps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 numpy==2.4.6 pandas==3.1.1 pyarrow==25.0.1
cat > "$folder/seen.py" <<'PY'
import json
import math
import sys

import datasets
import numpy as np

datasets.disable_progress_bars()
logps = [-math.log(2), -1e-50, -1e300, math.nan, None, -math.inf]
dataset = datasets.Dataset.from_dict({"logp": logps, "step": [2**53 + 1] * 6})
numbers = dataset.with_format("numpy")
column, rows, row = numbers["logp"][:], numbers[:2]["logp"], numbers[0]["logp"]
print(dataset.features, column, rows.dtype, row, numbers["step"][:1])
assert dataset.features["logp"].dtype == "float64" and column.dtype == rows.dtype == np.float32 and row.dtype == np.float64
assert column[0] != row == -math.log(2) and column[1] == 0 and column[2] == -np.inf and numbers["step"][0] == 2**53 + 1
assert dataset.with_format("pandas")["logp"][:][0] == -math.log(2)
path = sys.argv[1] + "/logps"
dataset.to_json(path + ".jsonl")
dataset.to_csv(path + ".csv")
lines = [json.loads(line)["logp"] for line in open(path + ".jsonl")]
cells = [line.split(",")[0] for line in open(path + ".csv")][1:]
print(lines, cells)
assert lines == [-0.6931471806, -1e-50, -1e300, None, None, None]
assert cells == ["-0.6931471805599453", "-1e-50", "-1e+300", "", "", "-inf"]
PY
export HF_HOME="$folder" HF_HUB_OFFLINE=1
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
