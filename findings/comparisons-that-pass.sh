#!/usr/bin/env bash
# pytest 9.2.0, numpy 2.4.6, dirty-equals 0.11: comparisons that pass.
#
# Guessed: nothing is not approximately 1. Seen: numpy.array([]) == pytest.approx(1.0) is true, and assert_allclose([], 1.0) passes: the losses of a
# mask that chose none are right. assert_array_less([NaN, 1], [NaN, 5]) passes, as NaN in one place on both sides is left out.
# Guessed: IsApprox has the tolerance of isclose, and of signs of infinity takes care. Seen: 1 % by default, so that 0.699 is ln 2; and -inf ==
# IsApprox(inf) is true, while 1e300 == IsApprox(inf) is false.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pytest==9.2.0 numpy==2.4.6 dirty-equals==0.11
cat > "$folder/seen.py" <<'PY'
import math

import numpy
import pytest
from dirty_equals import IsApprox

none = numpy.array([])
numpy.testing.assert_allclose(none, 1.0)
numpy.testing.assert_array_less([math.nan, 1], [math.nan, 5])
with pytest.raises(AssertionError):
    numpy.testing.assert_array_less([math.nan], [5])
pairs = ((0.699, math.log(2)), (0.701, math.log(2)), (-math.inf, math.inf), (1e300, math.inf))
seen = [bool(none == pytest.approx(1.0))] + [x == IsApprox(y) for x, y in pairs]
print(seen)
assert seen == [True, True, False, True, False]
PY
"$folder/venv/bin/python" "$folder/seen.py"
