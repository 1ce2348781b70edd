#!/usr/bin/env bash
# json_repair 0.64.6, dirtyjson 1.0.8, jiter 0.19.0: what readers of broken JSON, for the verdicts of judges and for printed dicts, make of a number.
#
# Guessed: what is no number stays text, sign and all, or is an error. Seen in json_repair: -inf, as Python prints it, is the text "inf", and -0.5
# with the typographic minus that models write is 0.5: the pair is preferred the other way round. 10^-5 is 10 and >0.5 is 0.5; 8/10 stays text.
# Guessed: 8/10 is an error or text. Seen in dirtyjson: 0.8, and --5 is 5. Seen in jiter with partial_mode, which is made for what is cut off: 8, and
# the rest of the object is gone: {"a": 1, "score": 8/10, "b": 2} is {"a": 1, "score": 8}, of which nothing was cut off. Three readers of one verdict
# have "8/10", 0.8 and 8.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q json_repair==0.64.6 dirtyjson==1.0.8 jiter==0.19.0
cat > "$folder/seen.py" <<'PY'
import dirtyjson
import jiter
import json_repair


def read(score):
    text = '{"a": 1, "score": %s, "b": 2}' % score
    try:
        dirty = dict(dirtyjson.loads(text))
    except dirtyjson.Error:
        dirty = None
    try:
        partial = jiter.from_json(text.encode(), partial_mode=True)
    except ValueError:
        partial = None
    print(score, json_repair.loads(text), dirty, partial)
    return json_repair.loads(text), dirty, partial


def whole(score):
    return {"a": 1, "score": score, "b": 2}


assert json_repair.loads(str({"loss": float("-inf")})) == {"loss": "inf"} == json_repair.loads(str({"loss": float("inf")}))
assert read("\N{MINUS SIGN}0.5")[0] == whole(0.5) and read("-0.5")[0] == whole(-0.5)
assert read("10^-5")[0] == whole(10) and read(">0.5")[0] == whole(0.5)
assert read("8/10") == (whole("8/10"), whole(0.8), {"a": 1, "score": 8})
assert read("--5")[:2] == (whole("--5"), whole(5))
PY
"$folder/venv/bin/python" "$folder/seen.py"
