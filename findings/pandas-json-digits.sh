#!/usr/bin/env bash
# pandas 3.1.1: to_json writes ten decimals, except of numbers small enough, and read_json misses the nearest double nearly always.
#
# Guessed: to_json writes the shortest digits that read back, or ten significant ones. Seen: ten digits after the point, so that a
# loss of 1.5e-11 is written 0.0, while 1.5e-16 is written 1.5e-16: the larger of two losses is 0 and the smaller is not. Infinity
# and NaN are both null, and -0.0 is 0.0.
# Guessed: read_json gives the double nearest to the text, as json.loads and pandas.read_csv do. Seen: more than nine in ten of
# the 17-digit numbers in (0, 1) come back another double: ln 2 is 0.6931471805599451. precise_float=True mends it.
# A log that passed through this is no evidence about ulps, nor about losses that vanished.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pandas==3.1.1 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
import io
import json
import math
import random

import pandas

losses = [1.5e-9, 1.5e-11, 1.5e-16, math.inf, math.nan, -0.0]
written = pandas.DataFrame({"loss": losses}).to_json(orient="values")
print(written)
assert written == "[[0.0000000015],[0.0],[1.5e-16],[null],[null],[0.0]]"


def read(numbers, **options):
    text = json.dumps([{"loss": x} for x in numbers])
    assert [row["loss"] for row in json.loads(text)] == numbers
    return list(pandas.read_json(io.StringIO(text), **options)["loss"])


generator = random.Random(0)
numbers = [math.log(2), *(generator.random() for _ in range(9_999))]
other = sum(a != b for a, b in zip(read(numbers), numbers))
print("ln 2 is read as", read(numbers)[0], "and", other, "of 10000 numbers are another double")
assert read(numbers)[0] == 0.6931471805599451 and other > 9_000
assert read(numbers, precise_float=True) == numbers
PY
"$folder/venv/bin/python" "$folder/seen.py"
