#!/usr/bin/env bash
# ujson 6.1.0 and srsly 2.5.6 (whose JSON is an older ujson): a dash is 0, and a small loss is written 0.0.
#
# Guessed: {"loss": -} is an error, as in json, orjson and the others. Seen: the loss is 0 in both, and 01 is 1, where an error is right. Who prints a
# dash for a step without a loss has the best loss there.
# Guessed: srsly, made for data sets and used by spaCy and Prodigy, writes what reads back. Seen: ten digits after the point: 1.5e-11 is 0.0, and
# so is 1e-100; ln 2 is 0.6931471806. Reading, more than nine of ten numbers in (0, 1) with 17 digits come back another double, ln 2 as
# 0.6931471805599451, and 5e-324 as 0. ujson 6 reads and writes all of these rightly.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ujson==6.1.0 srsly==2.5.6
cat > "$folder/seen.py" <<'PY'
import json
import math
import random

import srsly
import ujson

line = '{"loss": -}'
print(ujson.loads(line), srsly.json_loads(line), ujson.loads("[01]"), srsly.json_loads("[01]"))
assert ujson.loads(line) == srsly.json_loads(line) == {"loss": 0}
try:
    json.loads(line)
except ValueError:
    pass
else:
    raise AssertionError("json takes a dash")
numbers = [1.5e-11, 1e-100, 2.5e-10, math.log(2)]
written = [srsly.json_dumps(x) for x in numbers]
print(numbers, written, srsly.json_loads(repr(math.log(2))), srsly.json_loads("5e-324"))
assert written == ["0.0", "0.0", "0.0000000002", "0.6931471806"] and srsly.json_loads("5e-324") == 0
random.seed(0)
many = [random.random() for _ in range(10_000)]
off = [sum(read(repr(x)) != x for x in many) for read in (srsly.json_loads, ujson.loads)]
print("of 10,000 read as another double: srsly, ujson", off)
assert off[0] > 9000 and off[1] == 0 and all(float(ujson.dumps(x)) == x for x in many + numbers)
PY
"$folder/venv/bin/python" "$folder/seen.py"
