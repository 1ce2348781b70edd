// Two losses by name in JavaScript that dpo-conformance judges (docs/process.md, "Any loss"), in float64.
//
//     dpo-conformance run 'process:node docs/examples/losses.mjs' --loss hinge --loss ipo_average
import { createInterface } from 'node:readline'

// -- the losses: of one pair, the value and the derivatives in the four log-probabilities ----------------------------------

function hinge({ pc, pr, rc, rr, beta }) {
  const z = beta * ((pc - rc) - (pr - rr)), up = z < 1 ? -beta : z >= 1 ? 0 : z // a NaN stays one
  return { loss: z < 1 ? 1 - z : z >= 1 ? 0 : z, gradient: [up, -up, -up, up] }
}

function ipo({ pc, pr, rc, rr, chosen, rejected, beta }) {
  const away = ((pc - rc) / chosen - (pr - rr) / rejected) - 1 / (2 * beta)
  const [w, l] = [2 * away / chosen, 2 * away / rejected]
  return { loss: away * away, gradient: [w, -l, -w, l] }
}

const losses = { hinge, ipo_average: ipo }

// -- the protocol ----------------------------------------------------------------------------------------------------------

function numbers(digits) { // 16 hexadecimal digits each, the most significant first
  const bytes = Buffer.from(digits, 'hex')
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleBE(8 * i))
}

function counts(digits = '') { // lengths: 64-bit integers
  const bytes = Buffer.from(digits, 'hex')
  return Array.from({ length: bytes.length / 8 }, (_, i) => Number(bytes.readBigInt64BE(8 * i)))
}

function hexadecimal(values) {
  const bytes = Buffer.alloc(8 * values.length)
  values.forEach((value, i) => bytes.writeDoubleBE(value, 8 * i))
  return bytes.toString('hex')
}

function evaluate({ id, loss, pairs, beta, want_gradient, ...request }) {
  const [pc, pr, rc, rr] =
    ['policy_chosen_logps', 'policy_rejected_logps', 'ref_chosen_logps', 'ref_rejected_logps'].map(key => numbers(request[key]))
  const [chosen, rejected] = [counts(request.chosen_lengths), counts(request.rejected_lengths)]
  const found = Array.from({ length: pairs }, (_, i) =>
    losses[loss]({ pc: pc[i], pr: pr[i], rc: rc[i], rr: rr[i], chosen: chosen[i], rejected: rejected[i], beta }))
  const answer = { type: 'answer', id, losses: hexadecimal(found.map(one => one.loss)) }
  if (want_gradient) answer.gradient = [0, 1, 2, 3].map(place => hexadecimal(found.map(one => one.gradient[place])))
  return answer
}

const say = message => process.stdout.write(JSON.stringify(message) + '\n')

createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  const request = JSON.parse(line)
  if (request.type === 'hello') {
    say({
      type: 'hello', protocol: 1, name: 'node', version: '1', dtypes: ['binary64'], losses: Object.keys(losses),
      options: ['beta'], reduction: 'none', gradient: true, environment: { node: process.version },
    })
  } else if (request.type === 'bye') {
    process.exit(0)
  } else {
    say(evaluate(request))
  }
})
