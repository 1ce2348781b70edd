#!/usr/bin/env bash
# duckdb 2.0.1: a NaN of a NumPy array or a pandas frame is NULL; of a pyarrow table, a polars frame or a Parquet file it is NaN.
#
# Guessed: one answer for one column, whatever holds it. Seen: of the losses [1, NaN, 3], avg and max are 2 and 3, and
# count(*) filter (isnan(loss)) is 0, from NumPy and pandas; they are NaN, NaN and 1 from pyarrow and Parquet. A check
# that no loss is NaN passes or fails by the container.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 numpy==2.3.5 pandas==3.1.1 pyarrow==26.0.1
cd "$folder"
cat > seen.py <<'PY'
import duckdb
import numpy
import pandas
import pyarrow
import pyarrow.parquet

losses = numpy.array([1.0, numpy.nan, 3.0], numpy.float32)
arrays = {"loss": losses}
frame = pandas.DataFrame(arrays)
arrow = pyarrow.table(arrays)
pyarrow.parquet.write_table(arrow, "log.parquet")
seen = {}
for name in ("arrays", "frame", "arrow", "'log.parquet'"):
    row = duckdb.sql(f"select avg(loss), max(loss), count(*) filter (isnan(loss)) from {name}").fetchall()[0]
    seen[name] = tuple(map(str, row))
print(seen)
assert seen["arrays"] == seen["frame"] == ("2.0", "3.0", "0")
assert seen["arrow"] == seen["'log.parquet'"] == ("nan", "nan", "1")
PY
"$folder/venv/bin/python" seen.py
