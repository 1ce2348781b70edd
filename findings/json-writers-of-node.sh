#!/usr/bin/env bash
# jsonata 2.2.2 and fast-json-stringify 7.3.10 (npm): what they write for a number.
#
# Guessed: $string of a number is its shortest digits, as JSON.stringify's. Seen: 15 significant digits, in objects and lists too: ln 2 is
# 0.693147180559945, 0.1 + 0.2 is 0.3, and $number($string(x)) is not x.
# Guessed: a null under {type: "number"} is refused or null. Seen: fast-json-stringify writes 0, and so it does for integers; NaN is refused, and
# Infinity is null. A step without a loss has the best loss.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit jsonata@2.2.2 fast-json-stringify@7.3.10 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import jsonata from 'jsonata'
import build from 'fast-json-stringify'
const log = { l: Math.LN2 }
const ask = async (text) => jsonata(text).evaluate(log)
const seen = [await ask('$string(l)'), await ask('$string({"loss": 0.1 + 0.2})'), await ask('$number($string(l)) = l')]
console.log(seen)
assert.deepStrictEqual(seen, ['0.693147180559945', '{"loss":0.3}', false])
const write = build({ type: 'object', properties: { loss: { type: 'number' } } })
const written = [null, Infinity, Math.LN2].map((loss) => write({ loss }))
console.log(written)
assert.deepStrictEqual(written, ['{"loss":0}', '{"loss":null}', '{"loss":0.6931471805599453}'])
assert.throws(() => write({ loss: NaN }))
JS
node seen.mjs
