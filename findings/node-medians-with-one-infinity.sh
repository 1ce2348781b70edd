#!/usr/bin/env bash
# d3-array 3.2.5, ramda 0.32.0, lodash 4.18.1, csv-parse 7.0.3 (npm): medians, means and numbers that are read.
#
# Guessed: the median of 1, 2, infinity is 2. Seen in d3: NaN, by median and by quantile, as it adds 0 times the distance to infinity; of four it is
# right. One diverged pair takes the median of all away.
# Guessed: max and min have one rule for NaN. Seen in ramda: the largest of 1, NaN, 2 in any order is NaN, and the smallest is 1. Its median of the
# three is NaN, 1 or 2 by their order.
# Guessed: a missing loss is left out of a mean, or makes it NaN. Seen in lodash: mean of 1, undefined, 2 and meanBy of a missing field are 1: it is
# left out of the sum and not of the count. Guessed: 0x10 in a CSV file is 16 or text. Seen in csv-parse with cast: 0, and so is 0b1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit d3-array@3.2.5 ramda@0.32.0 lodash@4.18.1 csv-parse@7.0.3 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'node:assert'
import * as d3 from 'd3-array'
import * as R from 'ramda'
import _ from 'lodash'
import { parse } from 'csv-parse/sync'

const orders = [[1, NaN, 2], [NaN, 1, 2], [1, 2, NaN]]
const seen = {
  d3: [d3.median([1, 2, Infinity]), d3.quantile([1, 2, Infinity], 0.5), d3.median([1, 2, 3, Infinity])],
  largest: orders.map((x) => x.reduce((a, b) => R.max(a, b))),
  smallest: orders.map((x) => x.reduce((a, b) => R.min(a, b))),
  median: orders.map((x) => R.median(x)),
  lodash: [_.mean([1, undefined, 2]), _.meanBy([{ loss: 1 }, {}, { loss: 2 }], 'loss'), _.mean([1, NaN, 2])],
  csv: parse('0x10,0b1,1.5,NaN,1e400\n', { cast: true })[0],
}
console.log(seen)
assert.deepStrictEqual(seen, {
  d3: [NaN, NaN, 2.5],
  largest: [NaN, NaN, NaN],
  smallest: [1, 1, 1],
  median: [NaN, 1, 2],
  lodash: [1, 1, NaN],
  csv: [0, 0, 1.5, 'NaN', '1e400'],
})
JS
node seen.mjs
