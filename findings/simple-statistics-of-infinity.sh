#!/usr/bin/env bash
# simple-statistics 7.12.1 (npm): the mean of [inf, 1] is NaN, erf(0) is not 0, and the normal distribution ends at -3.1.
#
# Guessed: the mean is inf. Seen: inf of [inf] and NaN of [inf, 1] and [1, inf], since the compensated sum subtracts inf from itself.
# Guessed: max has one rule for NaN. Seen: NaN where it comes first, skipped elsewhere: max([NaN, 1, 2]) is NaN, max([1, NaN, 2]) 2; and the median
# of [1, NaN, 2], [NaN, 1, 2], [1, 2, NaN] is 2, 1, 1.
# Guessed: a probit is right to single precision. Seen: errorFunction(0) is -3.0e-8; cumulativeStdNormalProbability is looked up in a table of four
# digits: -3 gives 0.0013, -5 gives 0.001 and so does -50.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit simple-statistics@7.12.1 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import * as ss from 'simple-statistics'
const orders = [[1, NaN, 2], [NaN, 1, 2], [1, 2, NaN]]
const seen = {
  mean: [[Infinity], [Infinity, 1], [1, Infinity]].map(ss.mean),
  max: orders.map(ss.max),
  median: orders.map(ss.median),
  normal: [0, -3, -5, -50].map(ss.cumulativeStdNormalProbability)
}
console.log(seen, ss.errorFunction(0))
assert.deepStrictEqual(seen, {
  mean: [Infinity, NaN, NaN],
  max: [2, NaN, 2],
  median: [2, 1, 1],
  normal: [0.5, 0.0013, 0.001, 0.001]
})
assert(ss.errorFunction(0) < -2.9e-8)
JS
node seen.mjs
