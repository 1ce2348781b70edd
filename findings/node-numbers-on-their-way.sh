#!/usr/bin/env bash
# avsc 5.7.9, serialize-javascript 7.1.4 and ion-js 5.2.1 (npm): three ways in which a number is another when it is read.
#
# Guessed: the type that avsc infers from a number with a fraction is double. Seen: float: {loss: 0.1} comes back as 0.10000000149011612; it is
# double in a list with 1e300, and alone 1e300 is rightly double.
# Guessed: serialize-javascript, which is made for what JSON lacks, writes NaN as it writes Infinity. Seen: Infinity is Infinity and NaN is null.
# Guessed: Ion reads JSON as JSON.parse does. Seen: a number without exponent is a decimal, and its numberValue is not the nearest double for a
# quarter of all: 0.3 is 0.30000000000000004, 0.69 is 0.6900000000000001.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit avsc@5.7.9 serialize-javascript@7.1.4 ion-js@5.2.1 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import avro from 'avsc'
import ion from 'ion-js'
import serialize from 'serialize-javascript'
const kept = (record) => {
  const type = avro.Type.forValue(record)
  return type.fromBuffer(type.toBuffer(record)).loss
}
const seen = [[0.1, 1e300].map((loss) => kept({ loss })), serialize([Infinity, NaN]), ['0.3', '0.69', '3e-1'].map((x) => ion.load(x).numberValue())]
console.log(seen)
assert.deepStrictEqual(seen, [[0.10000000149011612, 1e300], '[Infinity,null]', [0.30000000000000004, 0.6900000000000001, 0.3]])
JS
node seen.mjs
