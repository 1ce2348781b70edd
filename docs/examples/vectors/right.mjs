// A DPO loss in binary64 that is right in both tails, with its derivatives in the policy's log-probabilities.
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

export function loss(pc, pr, rc, rr, beta, eps) {
  const z = beta * ((pc - rc) - (pr - rr));
  const value = eps === 0 ? softplus(-z) : (1 - eps) * softplus(-z) + eps * softplus(z);
  const slope = beta * (sigmoid(-z) - eps);
  return [value, -slope, slope];
}
