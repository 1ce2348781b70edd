"""The log-probability of a token, of a sequence, and the loss from token logits, in exact arithmetic.

    token        logp_t = z_t / T - log sum_j e**(z_j / T)
    sequence     the sum of the token log-probabilities where the mask is true; the average divides by their number
    loss         (1 - eps) softplus(-z) + eps softplus(z), z = beta ((pc - rc) - (pr - rr)), of four of these

Logits are rationals, or -inf for a token of probability 0; a +inf or a NaN gives NaN. No token left: the sum is 0, the average
NaN. Source of the loss: Rafailov et al. (2023), equation 7. Everything is in nats.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from oracle.arguments import read, read_beta, read_label_smoothing
from oracle.errors import OutOfRange, ShapeMismatch
from oracle.sequence.computable import Computable, Ends, exponential, log1p, sigmoid, softplus

Number = int | float | Fraction | str
Logits = Iterable[Number]
Logp = Computable | Number


def token_logp(logits: Logits, label: int, temperature: Number = 1) -> Computable:
    """The label's log-probability: -log1p of the sum of e**((z_j - z_t) / T) over the others.

    Rational only where the label alone has a finite logit, and then 0. Raises NotANumber, and OutOfRange for a label outside
    the vocabulary or a temperature that is not positive.
    """
    gaps = _gaps(logits, label, temperature)
    if isinstance(gaps, float):
        return Computable(special=gaps)
    if not gaps:
        return Computable(exact=Fraction(0))

    def ends(bits: int) -> Ends:
        low, high = _total(gaps, bits + 4)
        return -log1p(high, bits + 4)[1], -log1p(low, bits + 4)[0]

    return Computable(ends, proven=True)


def sequence_logp(
    logits: Sequence[Logits],
    labels: Sequence[int],
    mask: Sequence[bool] | None = None,
    temperature: Number = 1,
    *,
    average: bool = False,
) -> Computable:
    """The sum of the labels' log-probabilities where the mask is true, or their average.

    What the mask leaves out is not looked at. Rational only where every token is certain. Raises ShapeMismatch, and as
    `token_logp` does.
    """
    chosen = [True] * len(labels) if mask is None else list(mask)
    if not len(logits) == len(labels) == len(chosen):
        raise ShapeMismatch(f"logits of {len(logits)} tokens, {len(labels)} labels, a mask of {len(chosen)}")
    kept = [token_logp(row, label, temperature) for row, label, here in zip(logits, labels, chosen, strict=True) if here]
    if not kept:
        return Computable(special=math.nan) if average else Computable(exact=Fraction(0))
    total = added(kept)
    return total * Fraction(1, len(kept)) if average else total


def added(logps: Sequence[Computable]) -> Computable:
    """The sum of log-probabilities of one policy, none of them positive: rational only where each of them is 0."""
    if any(x.special is not None for x in logps):
        return Computable(special=sum(x.special for x in logps if x.special is not None))
    rest = [x for x in logps if x.exact is None]
    if not rest:
        return Computable(exact=Fraction(0))

    def ends(bits: int) -> Ends:
        each = [x.ends(bits) for x in rest]
        return sum((low for low, _ in each), Fraction(0)), sum((high for _, high in each), Fraction(0))

    return Computable(ends, proven=True)


def token_gradient(logits: Logits, label: int, temperature: Number = 1) -> list[Computable]:
    """d logp / d z_j = (delta_tj - p_j) / T for every logit, p the softmax; 0 in a logit of -inf.

    Each is rational only where all finite logits are equal. Where the label's own logit is -inf, its entry is 1 / T, the limit.
    Raises as `token_logp` does.
    """
    scale, given = _temperature(temperature), list(logits)
    gaps, values = _gaps(given, label, temperature), [read("logits", value) for value in given]
    finite = [z for z in values if isinstance(z, Fraction)]
    if isinstance(gaps, float) and math.isnan(gaps):
        return [Computable(special=math.nan) for _ in values]
    levels = {z: (z - max(finite)) / scale for z in finite}
    counts = Counter(levels[z] for z in finite)
    found = []
    for j, z in enumerate(values):
        own = levels[z] if isinstance(z, Fraction) else None
        rest = counts - Counter([own]) if j == label and own is not None else counts
        if own is None:
            found.append(Computable(exact=Fraction(int(j == label))) * (1 / scale))
        else:
            found.append(_share(counts, rest if j == label else None, own) * (1 / scale))
    return found


def _share(counts: Counter[Fraction], others: Counter[Fraction] | None, level: Fraction) -> Computable:
    """-p_j; or, of the target, 1 - p_t as the sum of the others over the whole. Rational where all logits are equal."""
    if len(counts) == 1:
        n = sum(counts.values())
        return Computable(exact=Fraction(-1 if others is None else n - 1, n))

    def ends(bits: int) -> Ends:
        """The ends of the share at so many bits: of sums that are enclosed at four more."""
        low, high = _total(counts, bits + 4)
        if others is None:
            least, most = exponential(level, bits + 4)
            return -most / low, -least / high
        least, most = _total(others, bits + 4)
        return least / high, most / low

    return Computable(ends, proven=True)


def margin(policy_chosen: Logp, policy_rejected: Logp, ref_chosen: Logp, ref_rejected: Logp) -> Computable:
    """(pc - rc) - (pr - rr), in nats; 0 where policy and reference are the same objects."""
    if policy_chosen is ref_chosen and policy_rejected is ref_rejected:
        logps = _read_logp(policy_chosen), _read_logp(policy_rejected)
        if all(logp.special is None for logp in logps):
            return Computable(exact=Fraction(0))
    pc, pr, rc, rr = map(_read_logp, (policy_chosen, policy_rejected, ref_chosen, ref_rejected))
    return (pc - rc) - (pr - rr)


def loss(
    policy_chosen: Logp,
    policy_rejected: Logp,
    ref_chosen: Logp,
    ref_rejected: Logp,
    beta: Number = 0.1,
    label_smoothing: Number = 0,
) -> Computable:
    """The loss of one pair from four sequence log-probabilities: (1 - eps) softplus(-z) + eps softplus(z).

    Without smoothing it is transcendental for every rational logit, so that rounding it ends; with smoothing no theorem is
    known, and a loop that does not end raises Undecided. Limits at infinite logits as in `oracle.loss`.
    """
    b, eps = read_beta(beta), read_label_smoothing(label_smoothing)
    z = _logit(margin(policy_chosen, policy_rejected, ref_chosen, ref_rejected), b)
    if z.special is not None:
        if math.isnan(z.special):
            return z
        return Computable(exact=Fraction(0)) if eps == (0 if z.special > 0 else 1) else Computable(special=math.inf)
    first, second = softplus(-z, proven=True), softplus(z, proven=True)
    if z.exact is not None:  # one atom and a rational: docs/termination.md, "The theorem"
        return _mixed(first, z * eps, proven=True)
    return first if eps == 0 else second if eps == 1 else _mixed(first * (1 - eps), second * eps, proven=False)


def slope(
    policy_chosen: Logp,
    policy_rejected: Logp,
    ref_chosen: Logp,
    ref_rejected: Logp,
    beta: Number = 0.1,
    label_smoothing: Number = 0,
) -> Computable:
    """d loss / d policy_chosen = beta (eps - sigma(-z)); the negative of it for policy_rejected. Raises Undecided."""
    b, eps = read_beta(beta), read_label_smoothing(label_smoothing)
    z = _logit(margin(policy_chosen, policy_rejected, ref_chosen, ref_rejected), b)
    return (-sigmoid(-z) + eps) * b


def _mixed(a: Computable, b: Computable, *, proven: bool) -> Computable:
    return Computable(lambda bits: (a.ends(bits)[0] + b.ends(bits)[0], a.ends(bits)[1] + b.ends(bits)[1]), proven=proven)


def _logit(h: Computable, beta: Fraction) -> Computable:
    return Computable(special=math.nan) if beta == 0 and h.special is not None else h * beta


def _read_logp(value: Logp) -> Computable:
    if isinstance(value, Computable):
        return value
    number = read("logp", value)
    return Computable(exact=number) if isinstance(number, Fraction) else Computable(special=number)


def _temperature(value: Number) -> Fraction:
    found = read("temperature", value)
    if not isinstance(found, Fraction) or found <= 0:
        raise OutOfRange("temperature", value, "a positive number")
    return found


def _gaps(logits: Logits, label: int, temperature: Number) -> Counter[Fraction] | float:
    """How often each (z_j - z_t) / T occurs among the others; or the log-probability where it is not finite."""
    scale, values = _temperature(temperature), [read("logits", value) for value in logits]
    if not 0 <= label < len(values):
        raise OutOfRange("label", label, f"an index of the vocabulary, 0 to {len(values) - 1}")
    if any(not isinstance(z, Fraction) and not z < 0 for z in values):
        return math.nan
    others = Counter(z for j, z in enumerate(values) if j != label and isinstance(z, Fraction))
    target = values[label]
    if not isinstance(target, Fraction):
        return -math.inf if others else math.nan
    return Counter({(z - target) / scale: n for z, n in others.items()})


def _total(gaps: Counter[Fraction], bits: int) -> Ends:
    each = [(n, exponential(gap, bits)) for gap, n in gaps.items()]
    return sum((n * low for n, (low, _) in each), Fraction(0)), sum((n * high for n, (_, high) in each), Fraction(0))
