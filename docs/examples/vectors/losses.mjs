// Judges losses in binary64 by their vectors: node losses.mjs FOLDER MODULE. MODULE exports functions by the losses' names; each
// takes {inputs, parameters} by name, arrays and numbers, and returns {losses, gradient} or, of a whole batch, {mean, gradient},
// where gradient has the derivatives of the sum over the batch by the log-probabilities' names, as many as it likes.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const [folder, module] = process.argv.slice(2);
const each = (object, of) => Object.fromEntries(Object.entries(object).map(([name, x]) => [name, of(x)]));
function number(hex) { // "-0x1.8p+3", or a count
  if (typeof hex === "number") return hex;
  const parts = /^(-?)0x([01])\.?([0-9a-f]*)p([+-]\d+)$/.exec(hex);
  if (!parts) return { inf: Infinity, "-inf": -Infinity, nan: NaN }[hex];
  const [, sign, whole, digits, power] = parts;
  const mantissa = Number(BigInt(`0x${whole}${digits}`)); // 53 bits at the most
  const exponent = Number(power) - 4 * digits.length, half = Math.trunc(exponent / 2);
  return (sign ? -1 : 1) * mantissa * 2 ** half * 2 ** (exponent - half);
}
let judged = 0, rejected = 0;
for (const [name, loss] of Object.entries(await import(resolve(module)))) {
  const file = JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8"));
  for (const test of file.tests) {
    const inputs = each(test.inputs, (row) => row.map(number));
    const got = loss({ inputs, parameters: each(test.parameters, (x) => number(x.hex)) });
    const mean = got.mean ?? got.losses.reduce((sum, x) => sum + x, 0) / got.losses.length;
    const slopes = Object.entries(got.gradient ?? {}).map(([of, row]) => [`d/d ${of}`, row]);
    const wrong = new Set();
    for (const [quantity, values] of [["mean", [mean]], ...(got.losses ? [["losses", got.losses]] : []), ...slopes]) {
      test.formats.binary64[quantity].forEach(({ lowest, highest }, i) => {
        judged++;
        if (number(lowest) <= values[i] && values[i] <= number(highest)) return;
        rejected++;
        wrong.add(quantity);
      });
    }
    if (wrong.size) console.log(`${name}, ${test.comment}: ${[...wrong].join(", ")}; it may be one of ${test.flags.join(", ")}`);
  }
}
console.log(`${judged} numbers judged, ${rejected} rejected`);
process.exit(rejected || !judged ? 1 : 0);
