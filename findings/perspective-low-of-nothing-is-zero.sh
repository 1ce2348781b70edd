#!/usr/bin/env bash
# perspective-python 5.6.1 with pyarrow 26.0.1: the lowest of the losses 1, missing, 2 is 0, and max, min, high and low have a rule each.
#
# Guessed: a missing loss is left out of each aggregate, as mean and sum leave it out. Seen: "low" takes it for 0, and so does "high" of -1, missing,
# -2, which is 0; "min" of either is missing and "max" 2 and -1; the median of the first is 1. The best log-probability of a run with a gap is 0.
# Guessed: one rule for NaN. Seen: max and high of 1, NaN, 2 are 2 and of NaN, 1, 2 NaN; the median of the three orders is NaN, 1 and 2.
# Guessed: JSON distinguishes what CSV does. Seen: NaN, infinity and missing are None by to_columns and to_json, and nan, inf and nothing by to_csv; a
# CSV file with nan is read as missing and one with inf as infinity.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q perspective-python==5.6.1 pyarrow==26.0.1
cat > "$folder/seen.py" <<'PY'
import math

import perspective
import pyarrow as pa

client = perspective.Server().new_local_client()


def table(losses):
    rows = pa.table({"run": ["a"] * len(losses), "loss": pa.array(losses, pa.float64())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return client.table(sink.getvalue().to_pybytes())


def all_of(losses, *aggregates):
    seen = [table(losses).view(group_by=["run"], columns=["loss"], aggregates={"loss": a}).to_columns()["loss"][1] for a in aggregates]
    print(losses, aggregates, seen)
    return seen


assert all_of([1.0, None, 2.0], "low", "high", "min", "max", "mean", "median") == [0.0, 2.0, None, 2.0, 1.5, 1.0]
assert all_of([-1.0, None, -2.0], "low", "high", "min", "max") == [-2.0, 0.0, None, -1.0]
assert all_of([1.0, math.nan, 2.0], "max", "high", "median") == [2.0, 2.0, None]
assert all_of([math.nan, 1.0, 2.0], "max", "high", "median") == [None, None, 1.0]
assert all_of([1.0, 2.0, math.nan], "max", "high", "median") == [2.0, 2.0, 2.0]
view = table([0.5, math.nan, math.inf, None]).view(columns=["loss"])
print(view.to_columns(), view.to_csv())
assert view.to_columns()["loss"] == [0.5, None, None, None] and view.to_csv().split("\n")[1:5] == ["0.5", "nan", "inf", ""]
assert client.table("loss\n0.5\nnan\ninf\n").view().to_csv().split("\n")[1:4] == ["0.5", "", "inf"]
PY
"$folder/venv/bin/python" "$folder/seen.py"
