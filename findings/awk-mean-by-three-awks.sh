#!/usr/bin/env bash
# gawk 5.2.1, mawk 1.3.4 and busybox 1.35.0 awk (Debian 12): a mean of losses with nan and inf in it, by three awks.
#
# Guessed: nan or inf in all, since C's strtod reads both. Seen for 0.5, nan, 0.25, inf: gawk's mean is 0.1875, as both words count as 0 (they are
# numbers only signed, as +nan, or under --posix); mawk's and busybox's is nan. `x != x`, the usual test for NaN, finds none in mawk, where NaN
# equals itself, and none in gawk, where it is 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root gawk=1:5.2.1-2 mawk=1.3.4.20200120-3.1 busybox=1:1.35.0-4+deb12u1+b1 libsigsegv2=2.14-1 > /dev/null
for package in ./*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu LC_ALL=C
busybox=$(find . -name busybox -type f -perm -1 | head -1)
for awk in usr/bin/gawk 'usr/bin/gawk --posix' usr/bin/mawk "$busybox awk"; do
  mean=$(printf '0.5\nnan\n0.25\ninf\n' | $awk '{ s += $1 } END { print s / NR }')
  found=$(printf '0.5\nnan\n2\n' | $awk '{ x = $1 + 0; if (x != x) n++ } END { print n + 0 }')
  echo "$awk: $mean $found"
done | tee seen
diff seen - <<END
usr/bin/gawk: 0.1875 0
usr/bin/gawk --posix: +nan 1
usr/bin/mawk: nan 0
$busybox awk: nan 1
END
