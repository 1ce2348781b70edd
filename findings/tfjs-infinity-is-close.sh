#!/usr/bin/env bash
# @tensorflow/tfjs 4.22.0 (CPU backend): infinity is close to minus infinity, a log loss is negative, and what finds NaN.
#
# Guessed: test_util.expectArraysClose refuses what is infinitely far. Seen: [Infinity] and [-Infinity] pass, as two numbers that are not finite are
# close unless one is NaN; 0.0009 is 0.
# Guessed: losses.logLoss of the label 1 and the probability 1 is 0, of 1e-20 it is 46. Seen: -1.19e-7, a negative loss, and 16.1.
# sigmoidCrossEntropy is right at 50.
# Guessed: top_k's first is the maximum. Seen: max of [1, NaN, 2] is NaN, topk and max pooling give 2; of [1, 2, NaN] topk gives NaN. logSumExp of
# [-inf, -inf], a row that is masked whole, is NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @tensorflow/tfjs@4.22.0 > /dev/null
cat > seen.mjs <<'JS'
import assert from 'assert'
import * as tf from '@tensorflow/tfjs'
await tf.setBackend('cpu')
const first = (tensor) => tensor.dataSync()[0]
const [early, late] = [[1, NaN, 2], [1, 2, NaN]].map((x) => tf.tensor1d(x))
const seen = {
  'log loss': [1, 1e-20].map((p) => first(tf.losses.logLoss(tf.tensor1d([1]), tf.tensor1d([p])))),
  'max': [first(tf.max(early)), first(tf.max(late))],
  'topk': [first(tf.topk(early, 1).values), first(tf.topk(late, 1).values)],
  'pool': first(tf.maxPool(tf.tensor3d([1, NaN, 2], [1, 3, 1]), [1, 3], 1, 'valid')),
  'logSumExp': first(tf.logSumExp(tf.tensor1d([-Infinity, -Infinity])))
}
console.log(seen)
assert(seen['log loss'][0] < 0 && seen['log loss'][1] < 17)
assert.deepStrictEqual([seen.max, seen.topk, seen.pool, seen.logSumExp], [[NaN, NaN], [2, NaN], 2, NaN])
tf.test_util.expectArraysClose([Infinity], [-Infinity])
tf.test_util.expectArraysClose([0.0009], [0])
assert.throws(() => tf.test_util.expectArraysClose([NaN], [1]))
JS
node seen.mjs
