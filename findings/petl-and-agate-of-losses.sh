#!/usr/bin/env bash
# petl 1.7.30 and agate 1.14.2: small tables of losses, read and chosen from.
#
# Guessed: selectle(table, "loss", 5) keeps numbers of at most 5. Seen in petl: it keeps None and the NaN as well, and selectgt the text alone;
# stats has max 2 of [1, NaN, 2] and NaN of [NaN, 2].
# Guessed: '1,5' is text or 1.5 to agate, and '50%' 0.5 or text. Seen: 15 and 50, each a Number; $3 is 3. A log with decimal commas has losses ten
# times and more what they were.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q petl==1.7.30 agate==1.14.2
cat > "$folder/seen.py" <<'PY'
import io
import math

import agate
import petl

table = [["loss"], [2.0], [math.nan], [None], ["diverged"]]
seen = {
    "selectle": [str(x) for (x,) in list(petl.selectle(table, "loss", 5))[1:]],
    "selectgt": [str(x) for (x,) in list(petl.selectgt(table, "loss", 5))[1:]],
    "max": [str(petl.stats([["loss"], *([x] for x in losses)], "loss").max) for losses in ([1.0, math.nan, 2.0], [math.nan, 2.0])],
    "agate": [str(x) for x in agate.Table.from_csv(io.StringIO('loss\n"1,5"\n50%\n$3\n1e-5\n')).columns["loss"].values()],
}
print(seen)
assert seen == {
    "selectle": ["2.0", "nan", "None"],
    "selectgt": ["diverged"],
    "max": ["2.0", "nan"],
    "agate": ["15", "50", "3", "0.00001"],
}
PY
"$folder/venv/bin/python" "$folder/seen.py"
