#!/usr/bin/env bash
# json-bigint 1.0.0 (npm), which "parses JSON with bigints": floats of more than 15 characters are no numbers either.
#
# Guessed: long integers become BigNumber objects, and 0.6931471805599453 stays a number. Seen: what counts is the length of the text,
# so that 0.69314718 is a number and 0.6931471805599453 an object; `loss + 1` is then the string "0.69314718055994531", and
# JSON.stringify writes the loss back in quotes. Losses of one column differ in kind from line to line by how many digits they need.
# 1e400 is "Bad number", where JSON.parse gives Infinity.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit json-bigint@1.0.0 > /dev/null
cat > seen.js <<'JS'
const assert = require('assert')
const json = require('json-bigint')
const losses = json.parse('[0.69314718, 0.6931471805599453]')
const seen = [losses.map((x) => typeof x), losses.map((x) => x + 1), JSON.stringify(losses)]
console.log(seen)
assert.deepStrictEqual(seen, [['number', 'object'], [1.69314718, '0.69314718055994531'], '[0.69314718,"0.6931471805599453"]'])
assert.throws(() => json.parse('[1e400]'))
JS
node seen.js
