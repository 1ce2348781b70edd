// Judges a binary64 DPO loss by the vectors: node consumer.mjs FOLDER MODULE. Prints what it rejects; exits 1 if it rejects
// anything or judged nothing. MODULE exports loss(pc, pr, rc, rr, beta, labelSmoothing) -> [loss, d/d pc, d/d pr].
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const [folder, module] = process.argv.slice(2);
const { loss } = await import(resolve(module));
const NAMES = ["policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps"];
const number = (bits) => new Float64Array(new BigUint64Array([BigInt(bits)]).buffer)[0];
const accepts = (answer, y) =>
  answer.nan ? Number.isNaN(y) : (number(answer.lowest) <= y && y <= number(answer.highest)) || (answer.zero && y === 0);
let judged = 0, rejected = 0;
for (const name of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  const file = JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));
  if (file.kind !== "pair") continue;
  for (const test of file.tests) {
    const wanted = test.formats.binary64;
    if (!wanted) continue;
    const got = loss(...NAMES.map((name) => number(wanted.inputs[name])), number(test.beta.bits), number(test.label_smoothing.bits));
    for (const [i, quantity] of ["loss", "d_policy_chosen_logps", "d_policy_rejected_logps"].entries()) {
      if (!wanted[quantity]) continue;
      judged++;
      if (accepts(wanted[quantity], got[i])) continue;
      rejected++;
      console.log(`${test.id} ${quantity}: got ${got[i]}, exact ${test.exact[quantity]} (${test.comment}; ${test.flags.join(", ")})`);
    }
  }
}
console.log(`${judged} results judged, ${rejected} rejected`);
process.exit(rejected || !judged ? 1 : 0);
