#!/usr/bin/env bash
# sqlite-vec 0.1.9 with apsw 3.54.1.0: a vector with a NaN is among the nearest, a short one is normalized to infinity, and JSON has six decimals.
#
# Guessed: a distance of NaN is the farthest, or is left out. Seen: it stays where it was put in: of five vectors the two nearest to (1, 0) are (1, 0)
# and (NaN, 0), with the distance NULL, where (0.9, 0) is nearer. Guessed: vec_normalize scales. Seen: of (1e-30, 1e-30) it is (inf, inf), of (1e30,
# 1e30) it is (0, 0), as the square of the norm is a float32.
# Guessed: vec_to_json has the digits of a float32, and vec_f32 reads what it writes. Seen: six decimals, so that 1e-10 is 0.000000; NaN is null,
# which vec_f32 refuses, while it reads [NaN]. Guessed: vec_quantize_int8(x, 'unit') is symmetric. Seen: 1 is 126 and -1 is -128.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sqlite-vec==0.1.9 apsw==3.54.1.0
cat > "$folder/seen.py" <<'PY'
import math
import struct

import apsw
import sqlite_vec

base = apsw.Connection(":memory:")
base.enable_load_extension(True)
base.load_extension(sqlite_vec.loadable_path())


def vector(*numbers):
    return struct.pack(f"{len(numbers)}f", *numbers)


def ask(what, *values):
    (answer,) = base.execute(f"select {what}", values).fetchone()
    print(what, answer)
    return answer


base.execute("create virtual table v using vec0(e float[2])")
for row, e in enumerate([(1, 0), (math.nan, 0), (0, 1), (0.9, 0), (-1, 0)]):
    base.execute("insert into v(rowid, e) values (?, ?)", (row, vector(*e)))
nearest = base.execute("select rowid, distance from v where e match ? and k = 2", (vector(1, 0),)).fetchall()
print(nearest)
assert nearest == [(0, 0.0), (1, None)]
assert ask("vec_to_json(vec_normalize(?))", vector(1e-30, 1e-30)) == "[Inf,Inf]"
assert ask("vec_to_json(vec_normalize(?))", vector(1e30, 1e30)) == "[0.000000,0.000000]"
assert ask("vec_to_json(?)", vector(1e-10, math.log(2), math.nan)) == "[0.000000,0.693147,null]"
assert ask("vec_to_json(vec_f32('[NaN]'))") == "[null]"
try:
    ask("vec_f32('[null]')")
    raise AssertionError("null was read")
except apsw.SQLError as error:
    print(error)
assert ask("vec_to_json(vec_quantize_int8(?, 'unit'))", vector(1, -1, 0.5)) == "[126,-128,63]"
PY
"$folder/venv/bin/python" "$folder/seen.py"
