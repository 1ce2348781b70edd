#!/usr/bin/env bash
# mingo 7.2.7, lokijs 1.5.12, sift 17.1.4 (npm), which take one query language: is NaN at most 5?
#
# Guessed: no, as JavaScript says, in all. Seen: {loss: {$lte: 5}} keeps NaN in mingo and in lokijs, where null is kept too, and not in sift; {$not:
# {$lte: 5}} finds it in sift and nothing in mingo. mingo's $avg and $sum leave NaN out. A search for the runs whose loss is below 5 gives those
# that diverged.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit mingo@7.2.7 lokijs@1.5.12 sift@17.1.4 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import Loki from 'lokijs'
import { Aggregator, Query } from 'mingo'
import sift from 'sift'
const runs = [{ loss: 1 }, { loss: NaN }, { loss: 9 }]
const match = sift.default ?? sift
const loki = new Loki('runs').addCollection('runs')
for (const run of [...runs, { loss: null }]) loki.insert({ ...run })
const low = { loss: { $lte: 5 } }
const not = { loss: { $not: { $lte: 5 } } }
const seen = {
  mingo: new Query(low).find(runs).all().map((x) => x.loss),
  lokijs: loki.find(low).map((x) => x.loss),
  sift: runs.filter(match(low)).map((x) => x.loss),
  'mingo, not': new Query(not).find(runs).all().map((x) => x.loss),
  'sift, not': runs.filter(match(not)).map((x) => x.loss),
  'mingo, mean': new Aggregator([{ $group: { _id: null, mean: { $avg: '$loss' } } }]).run(runs)[0].mean
}
console.log(seen)
assert.deepStrictEqual(seen, {
  mingo: [1, NaN],
  lokijs: [1, NaN, null],
  sift: [1],
  'mingo, not': [9],
  'sift, not': [NaN, 9],
  'mingo, mean': 5
})
JS
node seen.mjs
