#!/usr/bin/env bash
# daft 0.7.26: the maximum of a column with NaN is NaN, and that of its only group is not.
#
# Guessed: one rule. Seen for [1, NaN, 2]: max is NaN, and grouped by a constant 2; min is 1 either way. Of [-1, NaN, -2] the group's maximum is -2:
# neither NaN nor the largest number, but what was compared last. Largest difference by run and largest difference of all runs disagree.
# Guessed: the approximate median of [1, 2] is 1, 2 or between. Seen: 0.99, less than either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q daft==0.7.26
cat > "$folder/seen.py" <<'PY'
import math

import daft

loss = daft.col("loss")
for losses, whole, group in (([1.0, math.nan, 2.0], "nan", "2.0"), ([-1.0, math.nan, -2.0], "nan", "-2.0")):
    frame = daft.from_pydict({"loss": losses, "run": [0, 0, 0]})
    seen = [str(x.to_pydict()["loss"][0]) for x in (frame.agg(loss.max()), frame.groupby("run").agg(loss.max()))]
    print(losses, seen)
    assert seen == [whole, group]
(middle,) = daft.from_pydict({"loss": [1.0, 2.0]}).agg(loss.approx_percentiles(0.5)).to_pydict()["loss"]
print(middle)
assert 0.98 < middle < 1
PY
DO_NOT_TRACK=1 DAFT_PROGRESS_BAR=0 "$folder/venv/bin/python" "$folder/seen.py"
