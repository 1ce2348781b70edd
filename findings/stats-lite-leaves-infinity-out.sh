#!/usr/bin/env bash
# stats-lite 2.2.0 and regression 2.0.1 (npm): the mean of 1, infinity, 2 is 1.5, and a slope of 1e-5 is 0.
#
# Guessed: infinity, or NaN. Seen: stats-lite drops all that is not finite before every statistic, so that mean and median of [1, Infinity, 2] and
# of [1, NaN, 2] are 1.5; '1e400' is dropped and '0.5' counts.
# Guessed: a fit is rounded in what it prints. Seen: regression rounds the coefficients to two decimals (documented) and takes the fit from those:
# of the losses 1e-5, 2e-5, 3e-5 it is the line 0, and r2 is -6: a fit worse than the mean.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit stats-lite@2.2.0 regression@2.0.1 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import regression from 'regression'
import stats from 'stats-lite'
const seen = [[1, Infinity, 2], [1, NaN, 2], [1, '1e400', '2']].map((x) => [stats.mean(x), stats.median(x)])
console.log(seen)
assert.deepStrictEqual(seen, [[1.5, 1.5], [1.5, 1.5], [1.5, 1.5]])
const { equation, r2 } = regression.linear([[0, 1e-5], [1, 2e-5], [2, 3e-5]])
console.log(equation, r2)
assert.deepStrictEqual(equation, [0, 0])
assert(r2 < -5)
JS
node seen.mjs
