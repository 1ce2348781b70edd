#!/usr/bin/env bash
# scikit-learn 1.9.1 on numpy 2.4.6: log_loss of a wrong and certain probability depends on its dtype, and so does scaling.
#
# Guessed: -log p: 46.05 of 1e-20. Seen: 36.04 in float64, 15.94 in float32 and 6.93 in float16, as p is clipped to the dtype's eps: a worse
# prediction costs no more, and a rounder format loses less. A certain and right one costs 2.2e-16.
# Guessed: of a hundred float16 rows 1000 the scaled ones are 0 and the normalized ones 0.1. Seen: scale gives NaN, StandardScaler 0, and normalize
# 0, by l2 and by l1: the norm is infinite, and no one is told.
# Guessed: one loss, by whichever method of HalfBinomialLoss (LogisticRegression's) it is asked. Seen: loss() has 7 right digits at a margin of 20
# and is 0 at 36; loss_gradient()'s has 9 and 15.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import warnings

import numpy
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler, normalize, scale

warnings.simplefilter("ignore")
kinds = (numpy.float64, numpy.float32, numpy.float16)
seen = [round(float(log_loss([1, 1], numpy.full(2, 1e-20, kind), labels=[0, 1])), 2) for kind in kinds]
print(seen)
assert seen == [36.04, 15.94, 6.93]
rows = numpy.full((100, 1), 1000, numpy.float16)
seen = [float(scaled.ravel()[0]) for scaled in (scale(rows), StandardScaler().fit_transform(rows), normalize(rows.T), normalize(rows.T, norm="l1"))]
print(seen)
assert str(seen) == "[nan, 0.0, 0.0, 0.0]"
margins = numpy.array([20.0, 36.0])
alone, beside = HalfBinomialLoss().loss(numpy.ones(2), margins), HalfBinomialLoss().loss_gradient(numpy.ones(2), margins)[0]
right = numpy.log1p(numpy.exp(-margins))
print(alone, beside, right)
assert alone[1] == 0 and 1e-8 < abs(alone[0] / right[0] - 1) < 1e-6 and numpy.allclose(beside, right, rtol=1e-8, atol=0)
PY
"$folder/venv/bin/python" "$folder/seen.py"
