#!/usr/bin/env bash
# deepdiff 9.1.0: with three significant digits in scientific notation, 0.0001 and 0.0002 are the same number.
#
# Guessed: significant_digits counts decimals in the notation "f" (documented) and digits of the mantissa in "e". Seen: in "e" the number is first
# rounded to decimals all the same, so that with 3 all below 1e-3 is one number, and with 6 all below 1e-6: a loss, its double and its negative are
# equal. ignore_numeric_type_changes=True, which speaks of types, takes 1e-20 for 0 and 1e-13 for 2e-13. A NaN is equal to itself as an object and
# to no other NaN (documented by an option).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q deepdiff==9.1.0
cat > "$folder/seen.py" <<'PY'
from deepdiff import DeepDiff

scientific = {"significant_digits": 3, "number_format_notation": "e"}
for a, b, options, same in (
    (1e-4, 2e-4, scientific, True),
    (1e-3, 2e-3, scientific, False),
    (1e-9, -1e-9, scientific, True),
    (1e-9, 2e-9, {}, False),
    (1e-13, 2e-13, {"ignore_numeric_type_changes": True}, True),
    (1e-20, 0.0, {"ignore_numeric_type_changes": True}, True),
):
    seen = not DeepDiff({"loss": a}, {"loss": b}, **options)
    print(a, b, options, "same" if seen else "different")
    assert seen is same
PY
"$folder/venv/bin/python" "$folder/seen.py"
