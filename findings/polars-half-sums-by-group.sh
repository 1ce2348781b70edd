#!/usr/bin/env bash
# polars 2.1.0, Float16: a column's sum is right, and the same sum by groups stops at 2048.
#
# Guessed: Float16 sums go through a wider format, or nowhere do. Seen: 5,000 ones sum to 5000 and group_by().sum() of them is 2048, as
# every further 1 is half a unit; the mean of the group is 1, so that sum / len and mean disagree by a factor.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q polars==2.1.0 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import numpy
import polars

frame = polars.DataFrame({"run": numpy.zeros(5000, int), "loss": numpy.ones(5000, numpy.float16)})
loss = polars.col("loss")
group = frame.group_by("run").agg(sum=loss.sum(), mean=loss.mean())
seen = [frame["loss"].sum(), group["sum"][0], group["mean"][0]]
print("sum, sum by group, mean by group", seen)
assert seen == [5000.0, 2048.0, 1.0]
PY
"$folder/venv/bin/python" "$folder/seen.py"
