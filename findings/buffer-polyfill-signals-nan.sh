#!/usr/bin/env bash
# buffer 6.0.3 with ieee754 1.2.1, google-protobuf 4.0.3 (npm), Node 20: float32 numbers written by a web page.
#
# Guessed: writeFloatLE of the Buffer that bundlers put into pages writes what Node's does. Seen: NaN is 0x7f800001, a signalling NaN whose upper half
# is infinity in bfloat16 (Node: 0x7fc00000): who makes bfloat16 by cutting, as ClickHouse's toBFloat16 does, reads inf where the loss was NaN.
# Numbers halfway between two floats go away from zero: 1 + 2**-24 is 1.0000001192092896, where Math.fround has 1. writeDoubleLE is right but for NaN,
# which is signalling too.
# Guessed: protobuf's float takes what rounds to a float. Seen: 3.4028235e38, the digits with which NumPy prints the largest, and its negative, a
# mask's usual value, are refused ("Assertion failed"), and Infinity is not; 3.4028234663852886e38, the same float, is taken.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund buffer@6.0.3 ieee754@1.2.1 google-protobuf@4.0.3
cat > seen.js <<'JS'
const assert = require('node:assert');
const { Buffer: Page } = require('buffer/');
const { BinaryWriter } = require('google-protobuf');

function written(Kind, method, number, length) {
  const bytes = Kind.alloc(length);
  bytes[method](number, 0);
  return Buffer.from(bytes).reverse().toString('hex');
}

for (const [method, number, length, page, node] of [
  ['writeFloatLE', NaN, 4, '7f800001', '7fc00000'],
  ['writeFloatLE', 1 + 2 ** -24, 4, '3f800001', '3f800000'],
  ['writeFloatLE', -1 - 2 ** -24, 4, 'bf800001', 'bf800000'],
  ['writeFloatLE', 1 + 3 * 2 ** -24, 4, '3f800002', '3f800002'],
  ['writeDoubleLE', NaN, 8, '7ff0000000000001', '7ff8000000000000'],
  ['writeDoubleLE', 5e-324, 8, '0000000000000001', '0000000000000001'],
]) {
  const seen = [written(Page, method, number, length), written(Buffer, method, number, length)];
  console.log(method, number, seen);
  assert.deepStrictEqual(seen, [page, node]);
}
for (const [number, taken] of [[3.4028235e38, false], [-3.4028235e38, false], [Infinity, true], [NaN, true], [3.4028234663852886e38, true]]) {
  let error = null;
  try {
    new BinaryWriter().writeFloat(1, number);
  } catch (thrown) {
    error = thrown.message;
  }
  console.log(number, error);
  assert.strictEqual(error === null, taken);
}
assert.strictEqual(Math.fround(3.4028235e38), 3.4028234663852886e38);
JS
node seen.js
