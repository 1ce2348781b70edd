#!/usr/bin/env bash
# @iarna/toml 3.0.0 (npm): a learning rate of 5e-7 is written as `5e-7.undefined`.
#
# Guessed: `5e-7` or `5.0e-7`. Seen: below 1e-6 numbers of one digit get `.undefined`, which is no TOML, for its own reader neither; 1.5e-7 is
# right, and so is 1e+21. 123456789.125 is 123_456_789.125, which is TOML and which readers of other numbers refuse.
# A configuration with a learning rate of preference training is written without a word and cannot be read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @iarna/toml@3.0.0 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import toml from '@iarna/toml'
const seen = [1e-5, 1e-6, 5e-7, 1.5e-7, 1e21, 123456789.125].map((rate) => toml.stringify({ rate }).trim())
console.log(seen)
assert.deepStrictEqual(seen, ['rate = 0.00001', 'rate = 0.000001', 'rate = 5e-7.undefined', 'rate = 1.5e-7', 'rate = 1e+21', 'rate = 123_456_789.125'])
assert.throws(() => toml.parse(seen[2]))
JS
node seen.mjs
