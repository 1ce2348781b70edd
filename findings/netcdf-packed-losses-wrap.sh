#!/usr/bin/env bash
# netCDF4 1.7.5.1.post1 on numpy 2.4.6: packed losses wrap, and quantized every second infinity is NaN (seen on x86-64).
#
# Guessed: a loss that a packed variable cannot hold raises, is missing or is the largest. Seen: with i2 and scale_factor 0.001, 40.0 comes back as
# -25.536, and NaN and infinity as 0.
# Guessed: significant_digits=3 keeps three digits of every number. Seen: bits are cleared at even places and set at odd ones, of infinity and
# subnormals too: [inf, inf, 1e-320, 1e-320] comes back as [inf, NaN, 0, 1.09e-311].
# Guessed: missing_value=inf hides nothing that was written. Seen: a written infinity is masked, and the mean is that of the others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q netCDF4==1.7.5.1.post1 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math
import warnings

import netCDF4
import numpy

warnings.simplefilter("ignore")
file = netCDF4.Dataset("log.nc", "w", diskless=True)
file.createDimension("step", 4)
packed = file.createVariable("packed", "i2", ("step",))
packed.scale_factor = 1e-3
packed[:] = numpy.array([0.5, 40.0, math.nan, math.inf])
rounded = file.createVariable("rounded", "f8", ("step",), significant_digits=3)
rounded[:] = numpy.array([math.inf, math.inf, 1e-320, 1e-320])
marked = file.createVariable("marked", "f8", ("step",))
marked.missing_value = math.inf
marked[:] = numpy.array([1.0, math.inf, 2.0, 3.0])
file.sync()
print(packed[:], rounded[:], marked[:], marked[:].mean())
assert [round(float(x), 3) for x in packed[:]] == [0.5, -25.536, 0, 0]
infinite, unordered, none, grown = rounded[:].tolist()
assert infinite == math.inf and math.isnan(unordered) and none == 0 and 1e-311 < grown < 2e-311
assert marked[:].mean() == 2
PY
"$folder/venv/bin/python" "$folder/seen.py"
