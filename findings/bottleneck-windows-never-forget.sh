#!/usr/bin/env bash
# bottleneck 1.6.0 on numpy 2.4.6: one infinite or one large loss spoils every later value of a moving mean.
#
# Guessed: a window of two forgets in two steps. Seen: move_mean of [1, inf, 1, 1, 1, 1] is inf twice and NaN to the end; of [1e16, 1, 1, 1, 1, 1]
# it is 0 from the third on, where 1 is right. move_std and move_sum do the same; move_max and move_median forget. nanmean of 20,000,000 float32
# ones is 0.8388608.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q bottleneck==1.6.0 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math

import bottleneck
import numpy

infinite, large = (numpy.array([1, math.inf, 1, 1, 1, 1]), numpy.array([1e16, 1, 1, 1, 1, 1]))
seen = [str(bottleneck.move_mean(x, 2, 1).tolist()) for x in (infinite, large)]
print(seen, bottleneck.move_max(infinite, 2, 1), bottleneck.move_median(large, 2, 1))
assert seen == ["[1.0, inf, inf, nan, nan, nan]", "[1e+16, 5000000000000000.0, 0.0, 0.0, 0.0, 0.0]"]
assert bottleneck.move_max(infinite, 2, 1)[-1] == bottleneck.move_median(large, 2, 1)[-1] == 1
mean = bottleneck.nanmean(numpy.ones(20_000_000, numpy.float32))
print(mean)
assert 0.8388 < mean < 0.8389
PY
"$folder/venv/bin/python" "$folder/seen.py"
