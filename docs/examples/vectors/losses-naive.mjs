// IPO of sums under the name of IPO of averages: the vectors reject it.
export function ipo_average({ inputs, parameters: { beta } }) {
  const { policy_chosen_logps: pc, policy_rejected_logps: pr, ref_chosen_logps: rc, ref_rejected_logps: rr } = inputs;
  return { losses: pc.map((_, i) => (pc[i] - rc[i] - (pr[i] - rr[i]) - 1 / (2 * beta)) ** 2) };
}
