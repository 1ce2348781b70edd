#!/usr/bin/env bash
# pandas 3.1.1: rolling, expanding and ewm take infinity for a missing value.
#
# Guessed: infinity in, infinity out, as cumsum and max do. Seen: the running mean (ewm) of the losses [1, inf, 1] is 1, 1, 1; the expanding
# maximum is 1, 1, 1; the rolling mean with min_periods=1 is 1, 1, 1; rolling(2).max() is NaN. polars' ewm_mean and rolling_max keep
# it. A smoothed curve of a run that diverged at one step shows nothing of it, with no NaN beside it to warn.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pandas==3.1.1 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import math

import pandas

losses = pandas.Series([1.0, math.inf, 1.0])
seen = {
    "cumsum": losses.cumsum(),
    "max": losses.cummax(),
    "ewm": losses.ewm(alpha=0.5).mean(),
    "expanding": losses.expanding().max(),
    "rolling": losses.rolling(2, min_periods=1).mean(),
    "rolling max": losses.rolling(2).max(),
}
seen = {name: [str(x) for x in values] for name, values in seen.items()}
print(seen)
assert seen["cumsum"] == seen["max"] == ["1.0", "inf", "inf"]
assert seen["ewm"] == seen["expanding"] == seen["rolling"] == ["1.0"] * 3
assert seen["rolling max"] == ["nan"] * 3
PY
"$folder/venv/bin/python" "$folder/seen.py"
