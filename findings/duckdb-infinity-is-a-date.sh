#!/usr/bin/env bash
# duckdb 2.0.1: a CSV column whose figures are all inf is read as dates.
#
# Guessed: DOUBLE, as for a column of nan. Seen: DATE, and Python gets 31 December 9999 (1 January of year 1 for -inf). With one finite figure
# beside the inf the column is VARCHAR, so that numbers are compared as text. isinf() of the date is true, and no query fails.
# It hits what is infinite on every line of a diverged run: a gradient's norm, a perplexity, a log-probability of an impossible response.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1
cd "$folder"
printf 'step,loss,grad_norm,perplexity,logps\n1,nan,inf,inf,-inf\n2,nan,inf,1.5,-inf\n' > log.csv
cat > seen.py <<'PY'
import datetime

import duckdb

log = duckdb.sql("select loss, grad_norm, perplexity, logps from 'log.csv'")
print([str(x) for x in log.types], log.fetchall())
assert [str(x) for x in log.types] == ["DOUBLE", "DATE", "VARCHAR", "DATE"]
assert log.fetchall()[-1][1:] == (datetime.date(9999, 12, 31), "1.5", datetime.date(1, 1, 1))
PY
"$folder/venv/bin/python" seen.py
