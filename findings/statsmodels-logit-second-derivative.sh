#!/usr/bin/env bash
# statsmodels 0.15.0 on numpy 2.4.6: the second derivative of the logistic function is 7.9e39 at -100.
#
# Guessed: p (1 - p) (1 - 2 p), 3.7e-44 there, or 0. Seen for links.Logit().inverse_deriv2: 2.9e-4 at -50, where 1.9e-22 is right, 7.9e39 at -100,
# -inf from 40 on; between -36 and 10 it is right. inverse_deriv, the first, is right at -100 and NaN at 800.
# Guessed: Logit's log-likelihood takes a log-sigmoid. Seen: it is -50 at a margin of -50 and -inf at -800, the log of a probability that vanished.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cat > "$folder/seen.py" <<'PY'
import warnings

import numpy
from statsmodels.discrete.discrete_model import Logit
from statsmodels.genmod.families import links

warnings.simplefilter("ignore")
numpy.seterr(all="ignore")
link = links.Logit()
seen = {x: float(link.inverse_deriv2(x)) for x in (-100.0, -50.0, -20.0, 40.0)}
print(seen, link.inverse_deriv(800.0))
assert seen[-100.0] > 1e39 and seen[-50.0] > 1e-4 and abs(seen[-20.0] / 2.0611536054451405e-09 - 1) < 1e-12 and seen[40.0] == -numpy.inf
assert numpy.isnan(link.inverse_deriv(800.0))
model = Logit(numpy.array([1.0, 0.0]), numpy.ones((2, 1)))
seen = [float(model.loglikeobs(numpy.array([x]))[0]) for x in (-50.0, -800.0)]
print(seen)
assert seen == [-50.0, -numpy.inf]
PY
"$folder/venv/bin/python" "$folder/seen.py"
