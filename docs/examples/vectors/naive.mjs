// A DPO loss in binary64 as tutorials write it, -log(sigmoid(z)): wrong in both tails.
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

export function loss(pc, pr, rc, rr, beta, eps) {
  const z = beta * ((pc - rc) - (pr - rr));
  const value = -(1 - eps) * Math.log(sigmoid(z)) - eps * Math.log(sigmoid(-z));
  const slope = beta * (1 - sigmoid(z) - eps);
  return [value, -slope, slope];
}
