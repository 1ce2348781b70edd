#!/usr/bin/env bash
# gcc 12.2.0 (Debian 12), x86-64 without AVX512-FP16: _Float16 arithmetic is float arithmetic until something is stored, and __FLT_EVAL_METHOD__ says
# that it is not.
#
# Guessed: with __FLT_EVAL_METHOD__ 0 each operation is rounded to its type, as for float. Seen: (0.25 + 2048) - 2048 in _Float16 is 0.25, where half
# precision has 0; (60000 + 60000) / 2 is 60000 and no infinity; 0.25 + 2048 == 2048 is false; so it is of constants, at each level of optimization,
# and with -std=c17. A cast, or a variable in between, rounds. -fexcess-precision=16 gives 0, inf and true. That the intermediate is wide is
# documented, and the macro's value denies it.
# A loss in C that is tested for overflow and for sums that stick passes by how its lines are broken, and fails on a processor that has halves.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root cpp-12=12.2.0-14+deb12u1 libisl23=0.25-1.1 libmpc3=1.3.1-1 libmpfr6=4.2.0-1 \
  libgmp10=2:6.2.1+dfsg1-1.1 > /dev/null
for package in ./*.deb; do dpkg -x "$package" .; done
cat > seen.c <<'C'
typedef _Float16 half;
half difference = ((half)0.25 + (half)2048) - (half)2048;
half rounded = (half)((half)0.25 + (half)2048) - (half)2048;
half mean = ((half)60000 + (half)60000) / 2;
int equal = (half)0.25 + (half)2048 == (half)2048;
int method = __FLT_EVAL_METHOD__;
C
export LD_LIBRARY_PATH=$folder/usr/lib/x86_64-linux-gnu
for how in -O0 -O2 -std=c17 -fexcess-precision=16; do
  usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet $how seen.c -o seen.s
  # The bits of what each name holds: 13312 is 0.25, 31571 is 60000, 31744 is infinity.
  for name in difference rounded mean equal method; do
    grep -A1 "^$name:" seen.s | awk -v how="$how" -v name="$name" 'NR == 2 { print how, name, ($1 == ".zero" ? 0 : $2) }'
  done
done | tee seen
wide="difference 13312,rounded 0,mean 31571,equal 0,method 0"
diff seen <(for how in -O0 -O2 -std=c17; do tr , '\n' <<< "$wide" | sed "s/^/$how /"; done
  tr , '\n' <<< "difference 0,rounded 0,mean 31744,equal 1,method 0" | sed 's/^/-fexcess-precision=16 /')
