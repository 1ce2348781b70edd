// A DPO loss in JavaScript that dpo-conformance judges (docs/process.md), in float64, with Math.exp and Math.log1p.
//
//     dpo-conformance run 'process:node docs/examples/dpo_loss.mjs' --dtype float64
//     dpo-conformance run 'process:node docs/examples/dpo_loss.mjs --naive' --dtype float64     # violated
import { createInterface } from 'node:readline'

const naive = process.argv.includes('--naive')

// -- the loss that is judged ------------------------------------------------------------------------------------------

const softplus = x => (x > 0 ? x : 0) + Math.log1p(Math.exp(-Math.abs(x)))

function sigmoid(x) {
  const y = Math.exp(-Math.abs(x))
  return (x >= 0 ? 1 : x < 0 ? y : x) / (1 + y) // a NaN x stays one
}

const naiveLogSigmoid = x => Math.log(1 / (1 + Math.exp(-x))) // as tutorials write it: wrong in both tails

function loss(z, eps) {
  if (naive) return -(1 - eps) * naiveLogSigmoid(z) - eps * naiveLogSigmoid(-z)
  return eps === 0 ? softplus(-z) : (1 - eps) * softplus(-z) + eps * softplus(z)
}

function slope(z, eps) { // d loss / d z
  if (naive) return 1 / (1 + Math.exp(-z)) - 1 + eps
  return eps === 0 ? -sigmoid(-z) : eps * sigmoid(z) - (1 - eps) * sigmoid(-z)
}

// -- the protocol -----------------------------------------------------------------------------------------------------

function numbers(digits) { // 16 hexadecimal digits each, the most significant first
  const bytes = Buffer.from(digits, 'hex')
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleBE(8 * i))
}

function hexadecimal(values) {
  const bytes = Buffer.alloc(8 * values.length)
  values.forEach((value, i) => bytes.writeDoubleBE(value, 8 * i))
  return bytes.toString('hex')
}

function evaluate({ id, beta, label_smoothing: eps, want_gradient, ...request }) {
  if (request.dtype !== 'binary64') return { type: 'error', id, message: `${request.dtype} was not claimed` }
  const [pc, pr, rc, rr] =
    ['policy_chosen_logps', 'policy_rejected_logps', 'ref_chosen_logps', 'ref_rejected_logps'].map(key => numbers(request[key]))
  const z = pc.map((_, i) => beta * ((pc[i] - rc[i]) - (pr[i] - rr[i])))
  const answer = { type: 'answer', id, losses: hexadecimal(z.map(x => loss(x, eps))) }
  if (want_gradient) {
    const up = z.map(x => beta * slope(x, eps)) // in both chosen logps alike but for the sign, and so in the rejected ones
    const [chosen, rejected] = [hexadecimal(up), hexadecimal(up.map(x => -x))]
    answer.gradient = [chosen, rejected, rejected, chosen]
  }
  return answer
}

const say = message => process.stdout.write(JSON.stringify(message) + '\n')

createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  const request = JSON.parse(line)
  if (request.type === 'hello') {
    say({
      type: 'hello', protocol: 1, name: naive ? 'node-naive' : 'node', version: '1', dtypes: ['binary64'],
      options: ['beta', 'label_smoothing'], reduction: 'none', gradient: true, environment: { node: process.version },
    })
  } else if (request.type === 'bye') {
    process.exit(0)
  } else {
    say(evaluate(request))
  }
})
