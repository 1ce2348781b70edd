#!/usr/bin/env bash
# GNU datamash 1.7 (Debian 12): max and median with a NaN depend on the order of the lines, and results have 14 digits.
#
# Guessed: one rule for NaN. Seen: max of 1, nan, 2 is 2 and of nan, 1, 2 nan; median of 1, nan, 2 is nan and of nan, 1, 2 it is 1. sum of 0.1 + 0.2
# is 0.3 where the double is 0.30000000000000004, and ln 2 is 0.69314718055995; unique gives the digits as they were. 0x10 is 16.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root datamash=1.7-2 > /dev/null
dpkg -x ./*.deb .
export LC_ALL=C
{
  printf '1\nnan\n2\n' | usr/bin/datamash max 1 median 1
  printf 'nan\n1\n2\n' | usr/bin/datamash max 1 median 1
  printf '0.6931471805599453\n' | usr/bin/datamash mean 1 unique 1
} | tr '\t' ' ' | tee seen
diff seen - <<'END'
2 nan
nan 1
0.69314718055995 0.6931471805599453
END
