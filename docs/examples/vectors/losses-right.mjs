// Two losses that the vectors accept: one of pairs, one of a whole batch.
export function ipo_average({ inputs, parameters: { beta } }) {
  const { policy_chosen_logps: pc, policy_rejected_logps: pr, ref_chosen_logps: rc, ref_rejected_logps: rr } = inputs;
  const { chosen_lengths: lw, rejected_lengths: ll } = inputs;
  const away = pc.map((_, i) => (pc[i] - rc[i]) / lw[i] - (pr[i] - rr[i]) / ll[i] - 1 / (2 * beta));
  return {
    losses: away.map((x) => x * x),
    gradient: {
      policy_chosen_logps: away.map((x, i) => (2 * x) / lw[i]),
      policy_rejected_logps: away.map((x, i) => (-2 * x) / ll[i]),
    },
  };
}

export function nll_token_mean({ inputs: { policy_chosen_logps: pc, chosen_lengths: lw } }) {
  const sum = (row) => row.reduce((x, y) => x + y, 0);
  return { mean: -sum(pc) / sum(lw) };
}
