#!/usr/bin/env bash
# apache-arrow 21.2.0 (npm): numbers written into a Float16 vector.
#
# Guessed: rounded to nearest, ties to even, Infinity above 65519 and 0 or a subnormal below 2**-14, as every other binary16 does.
# Seen: from 65536 on they wrap (65536 is 2, 70000 is 2.13, 100000 is 3.05), and Infinity comes only far above; 1e-10 is 0.0000532,
# 1e-20 is 0.0000192, 1e-8 is -Infinity; ties go away from zero (2049 is 2050). Nothing is raised. A log of half precision written by a
# page or a Node service turns an overflowed logit into a plausible one, and a vanished loss into -Infinity.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit apache-arrow@21.2.0 > /dev/null
cat > seen.js <<'JS'
const assert = require('assert')
const arrow = require('apache-arrow')
const stored = (x) => arrow.vectorFromArray([x], new arrow.Float16()).get(0)
const expected = [
  [0.1, 0.0999755859375], [65519, 65504], [65520, Infinity], [Infinity, Infinity], // as they should be
  [65536, 2], [70000, 2.134765625], [-70000, -2.134765625], [100000, 3.05078125], [1e6, 3.814453125], [1e10, Infinity],
  [1e-8, -Infinity], [1e-10, 0.00005316734313964844], [1e-20, 0.00001919269561767578],
  [2049, 2050],
]
for (const [x, seen] of expected) {
  console.log(x, '->', stored(x))
  assert.strictEqual(stored(x), seen, `the behaviour has changed at ${x}`)
}
JS
node seen.js
