#!/usr/bin/env bash
# xgboost-cpu 3.2.0, lightgbm 4.7.0 on numpy 2.4.6: a log loss of -2.3, and a NaN margin that costs ln 2.
#
# Guessed: binary:logitraw is evaluated as binary:logistic is, and only predicts the margin. Seen: its default metric, logloss, takes the margin for a
# probability: of the label 1 at the margin 10 it is -2.30, -log 10, at 30 -3.40, and at -10 36.84, where 10.00 is right. Early stopping goes by it.
# Guessed: a NaN margin (init_score) makes the loss NaN, as in XGBoost. Seen: LightGBM takes it for 0, and the loss is ln 2, that of a fresh model.
# Guessed: one library clips at one place. Seen: at a margin of -200 LightGBM's binary_logloss is 34.54 and its cross_entropy 27.63; at -30 they are
# 30.00 and 27.63 of the same numbers. XGBoost's is 36.84.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q xgboost-cpu==3.2.0 lightgbm==4.7.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import lightgbm
import numpy as np
import xgboost

rows, ones = np.arange(40.0).reshape(40, 1), np.ones(40)


def xg(objective, margin):
    data, seen = xgboost.DMatrix(rows, label=ones), {}
    data.set_base_margin(np.full(40, margin))
    how = {"objective": objective, "eta": 1e-12, "nthread": 1, "base_score": 0.5}
    xgboost.train(how, data, 1, evals=[(data, "it")], evals_result=seen, verbose_eval=False)
    (metric,) = seen["it"]
    return metric, seen["it"][metric][0]


def lg(objective, metric, margin):
    data, seen = lightgbm.Dataset(rows, label=ones, init_score=np.full(40, margin)), {}
    how = {"objective": objective, "metric": metric, "learning_rate": 1e-12, "num_threads": 1, "verbose": -1}
    lightgbm.train(how, data, 1, valid_sets=[data], valid_names=["it"], callbacks=[lightgbm.record_evaluation(seen)])
    return float(seen["it"][metric][0])


def near(a, b):
    return abs(a - b) < 1e-4


for margin, logistic, raw, binary, entropy in (
    (10.0, 4.54e-5, -math.log(10), 4.54e-5, 4.54e-5),
    (30.0, 0, -math.log(30), 0, 0),
    (-10.0, 10, 36.84136, 10, 10),
    (-30.0, 30, 36.84136, 30, 27.63102),
    (-200.0, 36.84136, 36.84136, 34.53878, 27.63102),
):
    seen = [xg("binary:logistic", margin), xg("binary:logitraw", margin), lg("binary", "binary_logloss", margin)]
    seen.append(lg("cross_entropy", "cross_entropy", margin))
    print(margin, seen)
    assert seen[0][0] == seen[1][0] == "logloss"
    assert near(seen[0][1], logistic) and near(seen[1][1], raw) and near(seen[2], binary) and near(seen[3], entropy)
broken = xg("binary:logistic", math.nan)[1], lg("binary", "binary_logloss", math.nan)
print(broken)
assert math.isnan(broken[0]) and near(broken[1], math.log(2))
PY
OMP_NUM_THREADS=1 "$folder/venv/bin/python" "$folder/seen.py"
