#!/usr/bin/env bash
# mpmath 1.3.0: float() of an mpf is the nearest double, and of one below 2**-1022 it need not be.
#
# Guessed: correctly rounded everywhere, to nearest and ties to even. Seen: rounded to 53 bits first and then to a multiple of
# 2**-1074, so that (1/2 + 2**-100) * 2**-1074, which is above the middle, is 0.0, and (3/2 - 2**-59) * 2**-1074, nearest to
# 2**-1074, is 2 * 2**-1074. Fractions and gmpy2 2.3.2 round these once. Whoever takes float(mpf) for the truth of a vanishing loss or gradient in
# binary64 is off by a unit; in binary32, numpy.float32(mpf) rounds twice at every size: 1 + 2**-24 + 2**-60 is 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mpmath==1.3.0 gmpy2==2.3.2 numpy==2.3.5
cat > "$folder/seen.py" <<'PY'
from fractions import Fraction

import gmpy2
import mpmath
import numpy

mpmath.mp.prec = 2000
least = Fraction(1, 2**1074)
gmpy2.get_context().precision = 2000
for factor, seen, nearest in (
    (Fraction(1, 2) + Fraction(1, 2**100), 0.0, 5e-324),
    (Fraction(3, 2) - Fraction(1, 2**59), 1e-323, 5e-324),
):
    exact = factor * least
    number = mpmath.mpf(exact.numerator) / exact.denominator
    other = gmpy2.mpfr(exact.numerator) / exact.denominator
    print("mpmath", float(number), "gmpy2", float(other), "Fraction", float(exact))
    assert [float(number), float(other), float(exact)] == [seen, nearest, nearest]

single = numpy.float32(1 + mpmath.mpf(2) ** -24 + mpmath.mpf(2) ** -60)
print("binary32", single, "nearest", 1 + numpy.float32(2**-23))
assert single == 1
PY
"$folder/venv/bin/python" "$folder/seen.py"
