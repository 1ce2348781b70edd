#!/usr/bin/env bash
# pandera 0.35.0 on pandas 2.3.3: a check for NaN never sees one.
#
# Guessed: Check(lambda s: ~s.isna()) and Check(lambda s: isfinite(s)) fail on NaN. Seen: they pass in a nullable column, and so does every check
# written by hand or not, as missing values are counted as passed afterwards (ignore_na=True by default); inf fails. Guessed: coerce=True to float16
# refuses 70000, as it refuses text. Seen: it is inf, and 1e-9 is 0, and the frame is valid.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pandera==0.35.0 pandas==2.3.3 numpy==2.4.6
cat > "$folder/seen.py" <<'PY'
import math
import warnings

import numpy
import pandas
import pandera.pandas as pandera

warnings.simplefilter("ignore")


def valid(check, losses):
    try:
        pandera.DataFrameSchema({"loss": pandera.Column(float, check, nullable=True)}).validate(pandas.DataFrame({"loss": losses}))
    except pandera.errors.SchemaError:
        return False
    return True


def finite(losses):
    return numpy.isfinite(losses)


def there(losses):
    return ~losses.isna()


nan, inf = [1.0, math.nan], [1.0, math.inf]
seen = [
    valid(pandera.Check(there), nan),
    valid(pandera.Check(finite), nan),
    valid(pandera.Check(finite), inf),
    valid(pandera.Check(finite, ignore_na=False), nan),
]
half = pandera.DataFrameSchema({"loss": pandera.Column("float16", coerce=True)})
kept = half.validate(pandas.DataFrame({"loss": [70000.0, 1e-9]}))["loss"].tolist()
print(seen, kept)
assert seen == [True, True, False, False] and kept == [math.inf, 0.0]
PY
"$folder/venv/bin/python" "$folder/seen.py"
