#!/usr/bin/env bash
# alasql 4.19.1 (npm): a bound of 1e-5 finds nothing, and the mean of 1, NaN, 2 is 1.
#
# Guessed: 1e-5 is 0.00001. Seen: it is a column of a table named 1e, less 5: `loss < 1e-5` finds no line and is no error, `loss < 0.00001` and
# `loss < 1.0e-5` find it.
# Guessed: avg is NaN, or leaves NaN out, 1.5. Seen: 1: sum leaves it out and the count does not; max of [NaN, 1] is nothing. Guessed: a text counts
# as its number or not at all. Seen: avg of '0.5', '10', '9' is 0.1703: the texts are joined to 0.5109, of which it is a third.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit alasql@4.19.1 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import alasql from 'alasql'
const table = (...losses) => [losses.map((loss) => ({ loss }))]
const seen = [
  ...['1e-5', '0.00001', '1.0e-5'].map((bound) => alasql(`select loss from ? where loss < ${bound}`, table(1e-7, 1)).length),
  alasql('select avg(loss) as x from ?', table(1, NaN, 2))[0].x,
  alasql('select max(loss) as x from ?', table(NaN, 1))[0].x,
  alasql('select avg(loss) as x from ?', table('0.5', '10', '9'))[0].x
]
console.log(seen)
assert.deepStrictEqual(seen.slice(0, 5), [0, 1, 1, 1, undefined])
assert(Math.abs(seen[5] - 0.1703) < 1e-9)
JS
node seen.mjs
