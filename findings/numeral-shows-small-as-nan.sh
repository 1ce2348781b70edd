#!/usr/bin/env bash
# numeral 2.0.6 and accounting 0.4.1 (npm): a learning rate of 5e-7 is shown as NaN, and NaN as 0.0.
#
# Guessed: 0.0000005, and NaN for NaN. Seen: numeral(5e-7).format('0.0000000') is "NaN", of 1e-6 it is 0.0000010, of 1e21 "NaN";
# numeral(NaN).format('0.0') is "0.0". accounting.formatNumber of NaN is "0.00" and of infinity "NaN.undefined", and unformat('5e-7') is 5. A table
# of losses shows those that vanish as broken and those that broke as vanished.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit numeral@2.0.6 accounting@0.4.1 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import accounting from 'accounting'
import numeral from 'numeral'
const seen = [
  [1e-6, 5e-7, 1e21].map((x) => numeral(x).format('0.0000000')),
  numeral(NaN).format('0.0'),
  accounting.formatNumber(NaN, 2),
  accounting.formatNumber(Infinity, 2),
  accounting.unformat('5e-7')
]
console.log(seen)
assert.deepStrictEqual(seen, [['0.0000010', 'NaN', 'NaN'], '0.0', '0.00', 'NaN.undefined', 5])
JS
node seen.mjs
