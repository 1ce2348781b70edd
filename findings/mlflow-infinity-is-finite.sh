#!/usr/bin/env bash
# mlflow-skinny 3.17.2 with its SQLite store: a loss of inf comes back as a finite number.
#
# Guessed: inf, or an error, as NaN is kept by a column of its own. Seen: inf is 1.7976931348623157e+308 and -inf its negative, so that math.isinf
# and a look for inf in the history find none; the mean of two such is inf. -0.0 is 0.0. NaN comes back as NaN, and for SQL it is 0 in the table.
# Guessed: a step logged twice is there once. Seen: the history has both lines.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mlflow-skinny==3.17.2 sqlalchemy==2.0.54 alembic==1.19.2
cat > "$folder/seen.py" <<'PY'
import logging
import math
import sqlite3

logging.disable(logging.INFO)
import mlflow

mlflow.set_tracking_uri("sqlite:///store.db")
with mlflow.start_run() as run:
    for step, loss in enumerate([math.inf, -math.inf, math.nan, -0.0]):
        mlflow.log_metric("loss", loss, step=step)
    mlflow.log_metric("loss", 0.5, step=3)
history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
seen = [(x.step, str(x.value)) for x in history]
kept = [x for (x,) in sqlite3.connect("store.db").execute("select value from metrics where step = 2")]
print(seen, kept)
most = "1.7976931348623157e+308"
assert seen == [(0, most), (1, "-" + most), (2, "nan"), (3, "0.0"), (3, "0.5")] and kept == [0.0]
PY
cd "$folder"
MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true venv/bin/python seen.py
