#!/usr/bin/env bash
# PARI (as cypari 2.5.7): a cancelled difference is printed with digits that are all wrong, and its zero is not below 1e-50.
#
# Guessed: a system of arbitrary precision shows what is lost in a difference, as 0 or by fewer digits. Seen at 64 bits: 1.0 - 1/(1 + exp(-100)) is
# 1.08420217248550E-19, with a precision of 64 bits, where 3.7E-44 is right: the last bit of 1. What cancels to 0 is 0.E-18 or so, which equals
# 1e-60 and is not below 1e-50: max(0.E-38, 1e-50) is 0.E-38. An oracle that rises in precision until `error < tolerance` never ends by it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q cypari==2.5.7
cat > "$folder/seen.py" <<'PY'
from cypari import pari

for text, wanted in (
    ("1.0 - 1/(1 + exp(-100))", "1.08420217248550 E-19"),
    ("bitprecision(1.0 - 1/(1 + exp(-100)))", "64"),
    ("exp(-100)", "3.72007597602084 E-44"),
    ("0.E-38 < 1e-50", "0"),
    ("0.E-38 == 1e-60", "1"),
    ("max(0.E-38, 1e-50)", "0.E-38"),
):
    seen = str(pari(text))
    print(text, "is", seen)
    assert seen == wanted
PY
"$folder/venv/bin/python" "$folder/seen.py"
