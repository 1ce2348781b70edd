#!/usr/bin/env bash
# pyjson5 2.0.1: every subnormal is written as 0.0.
#
# Guessed: the shortest digits that read back, as for all other doubles. Seen: 1.2e-308, 1e-320 and 5e-324 are written 0.0, and -0.0 is 0.0;
# 2**-1022 is right, and of 20,000 numbers of all sizes from 1e-300 up none is changed, so that a test by random numbers finds nothing. It reads
# 5e-324 rightly.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyjson5==2.0.1
cat > "$folder/seen.py" <<'PY'
import random

import pyjson5

seen = [pyjson5.dumps(x) for x in (1.2e-308, 1e-320, 5e-324, -0.0)]
print(seen, pyjson5.loads("5e-324"))
assert seen == ["0.0"] * 4
assert pyjson5.loads("5e-324") == 5e-324 and float(pyjson5.dumps(2.0**-1022)) == 2.0**-1022
numbers = [random.random() * 10.0 ** random.randint(-299, 300) for _ in range(20000)]
assert all(float(pyjson5.dumps(x)) == x for x in numbers if x > 1e-300)
PY
"$folder/venv/bin/python" "$folder/seen.py"
