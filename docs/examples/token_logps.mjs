// Log-probabilities of sequences from token logits in JavaScript that dpo-conformance judges (docs/process.md, "From token
// logits"), in float64. With --naive it leaves out the largest logit and multiplies by the mask.
//
//     dpo-conformance run 'process:node docs/examples/token_logps.mjs'
import { createInterface } from 'node:readline'

const naive = process.argv.includes('--naive')

// -- a token: its log-probability, and the derivatives in its row of logits ------------------------------------------------

function token(row, label) {
  const top = naive ? 0 : row.reduce((a, b) => Math.max(a, b), -Infinity)
  const scaled = row.map(z => Math.exp(z - top))
  const total = scaled.reduce((a, b) => a + b, 0)
  return { logp: row[label] - top - Math.log(total), slopes: scaled.map((x, j) => (j === label ? 1 : 0) - x / total) }
}

// -- the protocol ----------------------------------------------------------------------------------------------------------

function doubles(digits) { // 16 hexadecimal digits each, the most significant first
  const bytes = Buffer.from(digits, 'hex')
  return Float64Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleBE(8 * i))
}

function integers(digits) {
  const bytes = Buffer.from(digits, 'hex')
  return Array.from({ length: bytes.length / 8 }, (_, i) => Number(bytes.readBigInt64BE(8 * i)))
}

function hexadecimal(values) {
  const bytes = Buffer.alloc(8 * values.length)
  values.forEach((value, i) => bytes.writeDoubleBE(value, 8 * i))
  return bytes.toString('hex')
}

function evaluate({ id, sequences, places, columns, want_gradient, mask, ...request }) {
  const logits = doubles(request.logits), labels = integers(request.labels)
  const sums = new Float64Array(sequences), slopes = new Float64Array(want_gradient ? logits.length : 0)
  for (let i = 0; i < sequences * places; i++) {
    const counts = mask[i] === '1'
    if (!counts && !naive) continue
    const found = token(logits.subarray(i * columns, (i + 1) * columns), labels[i])
    sums[Math.floor(i / places)] += found.logp * counts
    if (want_gradient) slopes.set(found.slopes.map(x => x * counts), i * columns)
  }
  const answer = { type: 'answer', id, logps: hexadecimal(sums) }
  if (want_gradient) answer.gradient = hexadecimal(slopes)
  return answer
}

const say = message => process.stdout.write(JSON.stringify(message) + '\n')

createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  const request = JSON.parse(line)
  if (request.type === 'hello') {
    say({
      type: 'hello', protocol: 1, kind: 'sequence', name: naive ? 'node-naive' : 'node', version: '1', dtypes: ['binary64'],
      options: [], gradient: true, environment: { node: process.version },
    })
  } else if (request.type === 'bye') {
    process.exit(0)
  } else {
    say(evaluate(request))
  }
})
