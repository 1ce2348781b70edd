#!/usr/bin/env bash
# jsonschema 4.26.0 and pydantic 2.14.4: NaN under a schema with bounds.
#
# Guessed: NaN is not at most 5. Seen: jsonschema takes it for valid under {"maximum": 5}, {"exclusiveMaximum": 5} and {"minimum": 0}, as it asks
# whether it is above; pydantic refuses it under le=5, and takes NaN and infinity under multiple_of=0.1. json.loads hands NaN to both.
# Guessed: int | float of the text "0.0" is the float 0.0. Seen: pydantic makes it the integer 0, and of "1e5" and of the number 0.0 a float: losses
# of one column differ in kind by whether they are whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jsonschema==4.26.0 pydantic==2.14.4
cat > "$folder/seen.py" <<'PY'
import json

import jsonschema
import pydantic

nan = json.loads("NaN")
seen = [jsonschema.Draft202012Validator(schema).is_valid(nan) for schema in ({"maximum": 5}, {"exclusiveMaximum": 5}, {"minimum": 0})]
print(seen)
assert seen == [True, True, True]


class Bounded(pydantic.BaseModel):
    loss: float = pydantic.Field(le=5)


class Stepped(pydantic.BaseModel):
    loss: float = pydantic.Field(multiple_of=0.1)


class Either(pydantic.BaseModel):
    loss: int | float


try:
    Bounded(loss=nan)
    raise AssertionError("NaN is taken")
except pydantic.ValidationError:
    pass
assert str(Stepped(loss=nan).loss) == "nan"
kinds = [type(Either(loss=x).loss).__name__ for x in ("0.0", "1e5", "0.5", 0.0)]
print(kinds)
assert kinds == ["int", "float", "float", "float"]
PY
"$folder/venv/bin/python" "$folder/seen.py"
