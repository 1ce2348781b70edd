#!/usr/bin/env bash
# xarray 2026.9.0 and dask 2024.8.2 on numpy 2.4.6: the mean of a hundred float16 1000s is inf, and NumPy's own is 1000.
#
# Guessed: they pass numpy.mean on. Seen: xarray leaves NaN out by default, so that its mean is the nanmean of NumPy, which has no wide sum: inf,
# and so weighted and std; with skipna=False it is 1000. dask divides a float16 sum by a count: inf, by chunks of fifty, though of 5,000 ones it is
# 1. A mean of half-precision losses or norms depends on the wrapper; the NumPy array inside is the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q xarray==2026.9.0 dask==2024.8.2 numpy==2.4.6 pandas==3.1.1
cat > "$folder/seen.py" <<'PY'
import warnings

import dask.array
import numpy
import xarray

warnings.simplefilter("ignore")
norms = numpy.full(100, 1000, numpy.float16)
labelled, chunked = xarray.DataArray(norms, dims="step"), dask.array.from_array(norms, chunks=50)
seen = {
    "numpy": float(norms.mean()),
    "xarray": float(labelled.mean()),
    "xarray, skipna=False": float(labelled.mean(skipna=False)),
    "xarray, std": float(labelled.std()),
    "dask": float(chunked.mean().compute()),
}
print(seen)
assert str(list(seen.values())) == "[1000.0, inf, 1000.0, inf, inf]"
PY
"$folder/venv/bin/python" "$folder/seen.py"
