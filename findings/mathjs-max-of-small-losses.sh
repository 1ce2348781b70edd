#!/usr/bin/env bash
# mathjs 15.2.0 (npm): max, sort and median take numbers below 1e-15 for equal, and return whichever comes first.
#
# Guessed: the comparisons == and < have a tolerance, as its documentation says, and statistics compare numbers. Seen: max([0, 9e-16]) is 0,
# max([1e-17, 2e-17]) is 1e-17, median([3e-17, 1e-17, 2e-17]) is 3e-17, and sort of [2.06e-9, 1.39e-11, 1.92e-22, 0] is [1.92e-22, 0, 1.39e-11,
# 2.06e-9]. max(1, 1 + 1e-13) is 1. A largest error of 9e-16 is none, and a vanishing loss is as large as a vanished one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit mathjs@15.2.0 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import { create, all } from 'mathjs'
const math = create(all)
const seen = [
  math.max([0, 9e-16]),
  math.max([1e-17, 2e-17]),
  math.max(1, 1 + 1e-13),
  math.median([3e-17, 1e-17, 2e-17]),
  math.sort([2.06e-9, 1.39e-11, 1.92e-22, 0], 'asc')
]
console.log(seen)
assert.deepStrictEqual(seen, [0, 1e-17, 1, 3e-17, [1.92e-22, 0, 1.39e-11, 2.06e-9]])
JS
node seen.mjs
