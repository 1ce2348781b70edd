#!/usr/bin/env bash
# jq 1.13.0 (PyPI): 0.1 and 0.10000000000000001 are one double and not equal, and infinity becomes a finite number.
#
# Guessed: numbers are doubles, of which long integers keep their digits in printing. Seen: literals are compared as decimals: [0.1,
# 0.10000000000000001] are two by unique and group_by, the first is less, and their difference is 0; both equal 1/10, so that == is not transitive.
# Two logs of one run, one written with 17 digits and one with the shortest, differ in every line by == and in none by -. After `. + 0` they are
# equal.
# Guessed: infinity stays, and `all(.loss <= 5)` is false for NaN. Seen: {"loss": Infinity} is 1.7976931348623157e+308 by `.`; all is true, as NaN
# is less than all numbers (documented), and max of [1, NaN] is 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jq==1.13.0
cat > "$folder/seen.py" <<'PY'
import jq

for program, text, wanted in (
    (".[0] == .[1]", "[0.1, 0.10000000000000001]", "false"),
    (".[0] - .[1]", "[0.1, 0.10000000000000001]", "0"),
    ("unique | length", "[0.1, 0.10000000000000001]", "2"),
    ("map(. + 0) | unique | length", "[0.1, 0.10000000000000001]", "1"),
    ("map(. == 1 / 10) | all", "[0.1, 0.10000000000000001]", "true"),
    (".loss", '{"loss": Infinity}', "1.7976931348623157e+308"),
    ("map(. <= 5) | all", "[1, NaN]", "true"),
    ("max", "[1, NaN]", "1"),
):
    seen = jq.compile(program).input_text(text).text()
    print(program, text, seen)
    assert seen == wanted
PY
"$folder/venv/bin/python" "$folder/seen.py"
