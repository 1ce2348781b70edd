#!/usr/bin/env bash
# jstat 1.9.6 and vega-statistics 2.0.0 (npm): the tails of the normal distribution, for a probit loss.
#
# Guessed: single precision at the least, or a named limit. Seen: jstat's cdf is 0 at -10, where 7.62e-24 is right and vega's is, and 1.8 % off at
# -8; its inverse of 1e-20 is -9.147, where -9.262 is right. vega's inverse is -Infinity from 1e-17 down and -8.2095 at 1e-16 (-8.2221), since it
# goes through 2 p - 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit jstat@1.9.6 vega-statistics@2.0.0 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import jstat from 'jstat'
import { cumulativeNormal, quantileNormal } from 'vega-statistics'
const { jStat } = jstat
const seen = {
  jstat: [-8, -10].map((x) => jStat.normal.cdf(x, 0, 1)).concat(jStat.normal.inv(1e-20, 0, 1)),
  vega: [cumulativeNormal(-10), quantileNormal(1e-16), quantileNormal(1e-17)]
}
console.log(seen)
const off = (x, right) => Math.abs(x / right - 1)
assert(off(seen.jstat[0], 6.22096057427178e-16) > 0.01 && seen.jstat[1] === 0 && off(seen.jstat[2], -9.26234009) > 0.01)
assert(off(seen.vega[0], 7.61985302416047e-24) < 1e-6 && off(seen.vega[1], -8.222082216) > 1e-3 && seen.vega[2] === -Infinity)
JS
node seen.mjs
