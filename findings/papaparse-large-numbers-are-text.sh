#!/usr/bin/env bash
# papaparse 5.7.1 (npm), dynamicTyping: a number from 2**53 on stays text, whatever its exponent.
#
# Guessed: 1e16 and 1e300 are numbers, as 1e-320 and 9e15 are; long integers stay text. Seen: all that is beyond 2**53 stays text, so that a
# perplexity of 1e16 is the string '1e16', and a column's kind changes from line to line at 9.007e15. NaN, Infinity, inf, 1e400 and +1.5 are text
# too; ' 1.5' is a number. Compared as text, '1e300' < '5'.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit papaparse@5.7.1 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import Papa from 'papaparse'
const words = ['1e-320', '9e15', '9.1e15', '1e16', '1e300', 'NaN', 'Infinity', '+1.5', ' 1.5']
const seen = Papa.parse(words.join('\n'), { dynamicTyping: true }).data.map(([x]) => x)
console.log(seen)
assert.deepStrictEqual(seen, [1e-320, 9e15, '9.1e15', '1e16', '1e300', 'NaN', 'Infinity', '+1.5', 1.5])
JS
node seen.mjs
