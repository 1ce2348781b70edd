#!/usr/bin/env bash
# nerdamer 1.1.13 and algebrite 1.4.0 (npm): what computer algebra in JavaScript makes of a small loss.
#
# Guessed: exact arithmetic until decimals are asked for, and as many right ones as were asked. Seen in nerdamer: 1e-20 is 0, and so is 1e-20 *
# 1e20; exp(-50) evaluates to 0 and by 40 decimals to 1.928749847963923e-22, of which 14 digits are right; the derivative of log(1 + exp(-x)) has
# the fraction 325368125/119696244 for e in the denominator and e in the numerator.
# Guessed: 1e-20 is a number in algebrite. Seen: it is read as 1 e - 20 with Euler's e, -20 + e; 5e-7 is -7 + 5 e. 1.0e-5 is a number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit nerdamer@1.1.13 algebrite@1.4.0 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import algebrite from 'algebrite'
import nerdamer from 'nerdamer/all.min.js'
const seen = [
  ['1e-20', '1e-20*1e20', 'exp(-50)'].map((x) => Number(nerdamer(x).evaluate().text())),
  nerdamer('exp(-50)').evaluate().text('decimals', 40),
  nerdamer.diff('log(1+exp(-x))', 'x').text(),
  ['1e-20', '5e-7', '1.0e-5*2'].map((x) => algebrite.run(x))
]
console.log(seen)
assert.deepStrictEqual(seen, [
  [0, 0, 0],
  '0.0000000000000000000001928749847963923',
  '-(1+119696244^x*325368125^(-x))^(-1)*e^(-x)',
  ['-20+e', '-7+5*e', '0.00002']
])
JS
node seen.mjs
