"""KERNEL: the log-sigmoid kernel alone, its logit fed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from conformance.clauses.model import Chapter, Outcome
from conformance.clauses.quantities import GRADIENTS, LOSS, SIGNS
from conformance.clauses.tally import Tally
from conformance.clauses.trial import Trial
from conformance.errors import Misbehaviour
from conformance.inputs import logits
from conformance.inputs.batch import Batch
from conformance.records.record import Level
from conformance.sweep.found import Found
from conformance.sweep.plan import plan
from conformance.sweep.quantities import QUANTITIES
from conformance.sweep.shard import Failure, judge_shard
from oracle import bounds, enclosure, judging
from oracle.bounds import centre
from oracle.formats import Floats
from oracle.judging import Judged

chapter = Chapter("KERNEL")

_FED = (
    "The logit is fed exactly: beta = 1 and logps (0, -z, 0, 0) for z >= 0, (z, 0, 0, 0) for z < 0, so that every "
    "subtraction and the product are exact and only the kernel can err."
)
_BOUND = (
    "A kernel is an exponential and a few operations after it. Derived for the forms that code takes (docs/bounds.md, the "
    "kernel's own bounds): exp of a rounded z log2 e is that of z (1 + t), |t| <= 2u, and costs 2|z| times the condition of "
    "the "
    "function; each operation costs its own error, that of the exponential times its share. In the 16-bit formats the "
    "functions "
    "are correctly rounded; in the wide ones they err by 3 ulp (exp), 2 (log1p) and 2.5 (a quotient), as OpenCL C 3.0 allows "
    "in "
    "single precision (table 65). A 0 is accepted where the exact value lies below the smallest normal number, because "
    "flushing "
    'is judged by a clause of its own; any other number there, with subnormals="flush" alone.'
)
BLOCK = 1 << 12


SPARSE = 7
"""The path without derivatives is asked at every seventh logit: all low bits are among them."""
SINGLE_STRIDE = 31
"""Under the quick profile, one that takes one pair at a time is asked for every 31st pattern: all low bits are among them."""
SINGLE_STRIDE_FAR = 7
"""And in a wide format for every 7th logit beyond BENT: of powers of two, their neighbours and what is drawn between."""
BENT = (2.0**-12, 2.0**14)
"""Between these |z| the kernel is neither ln 2 - z/2, nor 0 or -z, in all but its last digits."""


def _logits(trial: Trial) -> Floats:
    """Every finite number of a 16-bit format, a stratified set of a wide one; infinities and NaN belong to SPECIAL."""
    fewer = trial.single and trial.profile.name == "quick"
    if trial.fmt.width > 16:
        values = logits.stratified(trial.fmt, trial.sizes, trial.rng("logits"))
        return values[_near(values) | (np.arange(len(values)) % SINGLE_STRIDE_FAR == 0)] if fewer else values
    values = logits.every(trial.fmt)
    if fewer:
        values = values[::SINGLE_STRIDE]
    return values[np.isfinite(values)]


def _near(values: Floats) -> NDArray[np.bool_]:
    """Where the kernel bends, and both zeros."""
    return np.asarray(((np.abs(values) >= BENT[0]) & (np.abs(values) <= BENT[1])) | (values == 0))


@lru_cache(maxsize=1)
def _answered(trial: Trial) -> tuple[Floats, Floats, tuple[Floats | None, Floats | None]]:
    """The logits, the losses and the two derivatives in the policy's logps there: one evaluation for the chapter."""
    z = _logits(trial)
    blocks = [Batch.at_logits(z[start : start + BLOCK]) for start in range(0, len(z), BLOCK)]
    answers = [trial.answer(block, gradient=trial.implementation.claims.gradient) for block in blocks]
    columns = [[(answer.gradient or (None,) * 4)[place] for answer in answers] for place in (0, 1)]
    chosen, rejected = (
        np.concatenate([part for part in column if part is not None]) if all(p is not None for p in column) else None
        for column in columns
    )
    return z, np.concatenate([answer.losses for answer in answers]), (chosen, rejected)


def _sweeps(trial: Trial) -> bool:
    """True where every logit is judged, with flat memory; of who returns a mean, each would cost a call."""
    return trial.profile.sweep and trial.fmt.width <= 32 and not trial.single


@lru_cache(maxsize=1)
def _swept(trial: Trial) -> tuple[Found, ...]:
    """What is found at every logit, of the loss and of both derivatives: one sweep for the chapter."""
    planned = plan(trial.fmt)
    total = tuple(Found() for _ in (QUANTITIES if trial.implementation.claims.gradient else QUANTITIES[:1]))
    for shard in planned.shards():
        found = judge_shard(trial.implementation, planned, shard)
        if isinstance(found, Failure):
            raise Misbehaviour(found.kind, f"{found.text}, at the logits from {found.first} to {found.last}")
        for mine, its in zip(total, found, strict=True):
            mine.merge(its)
        if trial.alive is not None:
            trial.alive(total[0].judged, planned.numbers)
    return total


def _judge_sweep(trial: Trial, quantities: slice, *, must: bool) -> Outcome:
    tally = Tally(trial)
    for quantity, found in zip(QUANTITIES[quantities], _swept(trial)[quantities], strict=True):
        tally.sweep(quantity, found, must=must)
    return tally.outcome(graded=must)


@lru_cache(maxsize=1)
def _judged_losses(trial: Trial) -> Judged:
    """The losses at the chapter's logits, judged once for the MUST and the SHOULD."""
    z, losses, _ = _answered(trial)
    return judging.losses(z, losses, trial.fmt)


@lru_cache(maxsize=1)
def _judged_slopes(trial: Trial) -> tuple[tuple[Floats, Judged], ...]:
    """Both derivatives there, NaN where one is absent, judged as `_judged_losses`."""
    z, _, parts = _answered(trial)
    return tuple(_slopes(trial, z, parts))


def _slopes(trial: Trial, z: Floats, parts: tuple[Floats | None, ...]) -> Iterator[tuple[Floats, Judged]]:
    """The derivatives in the policy's logps, with what is certain of them; that of minus a judged one is the same."""
    before: tuple[Floats, Judged] | None = None
    for sign, part in zip(SIGNS[:2], parts, strict=True):
        got = np.full(len(z), np.nan) if part is None else part
        if before is None or not np.array_equal(before[0], -got):
            before = got, judging.derivatives(z, sign * got, trial.fmt)
        yield got, before[1]


def _judge_value(trial: Trial, *, must: bool) -> Outcome:
    if _sweeps(trial):
        return _judge_sweep(trial, slice(0, 1), must=must)
    tally = Tally(trial)
    z, losses, _ = _answered(trial)
    bound = bounds.kernel_losses if must else None
    tally.kernel(LOSS, z, Batch.at_logits(z), losses, _judged_losses(trial), bound)
    return tally.outcome(graded=must)


def _judge_gradient(trial: Trial, *, must: bool) -> Outcome:
    """Both derivatives in the policy's logps: minus and plus sigma(-z)."""
    if _sweeps(trial):
        return _judge_sweep(trial, slice(1, 3), must=must)
    tally, z = Tally(trial), _answered(trial)[0]
    batch, bound = Batch.at_logits(z), bounds.kernel_slopes if must else None
    for quantity, (got, judged) in zip(GRADIENTS, _judged_slopes(trial), strict=False):
        tally.kernel(quantity, z, batch, got, judged, bound)
    return tally.outcome(graded=must)


@chapter.clause(
    1,
    Level.MUST,
    "value of the kernel",
    kills=(
        "log-for-log1p",
        "softplus-threshold-20",
        "softplus-threshold-1000",
    ),
    statement="The loss at an exactly representable logit z shall be log(1 + e^-z) within the kernel's bound, of relative size "
    "3u + u s/f in binary16 and bfloat16 and 6u + 6u s/f in binary32 and binary64, and 2u |z| s/f more, where f is the exact "
    "loss, s = sigma(-z) and u = 2^-p.",
    derivation=f"{_FED} {_BOUND}",
    guards=(
        "https://github.com/pytorch/pytorch/issues/1835",
        "https://github.com/mindspore-ai/mindspore/issues/390",
        "https://github.com/tenstorrent/tt-metal/issues/53787",
        "https://github.com/jingyaogong/minimind/issues/365",
    ),
    needs=("beta",),
    remedy="Compute the loss by a stable log-sigmoid: the library's own (torch.nn.functional.logsigmoid, "
    "jax.nn.log_sigmoid), or max(-z, 0) + log1p(exp(-|z|)); not log(sigmoid(z)), not log(1 + exp(-z)), no softplus with a "
    "threshold, no clamp.",
)
def kernel_value(trial: Trial) -> Outcome:
    """Error of the loss in ulps."""
    return _judge_value(trial, must=True)


@chapter.clause(
    2,
    Level.MUST,
    "derivative of the kernel",
    kills=(
        "gradient-zero-at-kink",
        "gradient-one-minus-sigmoid",
        "bce-with-logits",
    ),
    statement="The derivative of the loss in the policy's log-probabilities at an exactly representable logit z and "
    "beta = 1 shall be -sigma(-z) (chosen) and +sigma(-z) (rejected) within the kernel's bound, of relative size 2u to 5u in "
    "binary16 and bfloat16 and 6u to 17u in binary32 and binary64, with 2u |z| sigma(z) and, for z < 0, at most u |z| more.",
    derivation=f"{_FED} {_BOUND}",
    guards=(
        "https://github.com/thinking-machines-lab/tinker-cookbook/pull/188",
        "https://github.com/jax-ml/jax/issues/2140",
        "https://github.com/jax-ml/jax/issues/40825",
    ),
    needs=("beta", "gradient"),
    remedy="Differentiate a stable log-sigmoid, or return sigma(-z) itself: exp(-z) / (1 + exp(-z)) for z >= 0 "
    "and 1 / (1 + exp(z)) for z < 0; not 1 - sigma(z), which keeps no digit at a large z.",
)
def kernel_gradient(trial: Trial) -> Outcome:
    """Error of both derivatives in ulps."""
    return _judge_gradient(trial, must=True)


@chapter.clause(
    3,
    Level.SHOULD,
    "value of the kernel, sharply",
    kills=("log-for-log1p",),
    statement="The loss at an exactly representable logit z should be within 4 ulp of log(1 + e^-z) in every format.",
    derivation=f"{_FED} 4 ulp covers an exponential and a log1p of 1 ulp each, in either branch, with room to spare.",
    needs=("beta",),
)
def kernel_value_sharply(trial: Trial) -> Outcome:
    """The same points against 4 ulp."""
    return _judge_value(trial, must=False)


@chapter.clause(
    4,
    Level.SHOULD,
    "derivative of the kernel, sharply",
    kills=("gradient-one-minus-sigmoid",),
    statement="The derivative of the loss in the policy's log-probabilities at an exactly representable logit z and "
    "beta = 1 should be within 4 ulp of -sigma(-z) and +sigma(-z) in every format.",
    derivation=f"{_FED} 4 ulp covers an exponential, an addition and a division with room to spare.",
    needs=("beta", "gradient"),
)
def kernel_gradient_sharply(trial: Trial) -> Outcome:
    """The same points against 4 ulp."""
    return _judge_gradient(trial, must=False)


@chapter.clause(
    5,
    Level.SHOULD,
    "gradual underflow",
    kills=("log-for-log1p",),
    statement="Where the exact loss or derivative of the kernel lies below the smallest normal number and does not "
    "round to 0, the result should be a subnormal number and not 0.",
    derivation="IEEE 754-2019, section 7.5: underflow is gradual by default. Flushing loses up to p - 1 binades of the "
    "tail; it is a property of the implementation, and one that declares it is not judged by this clause.",
    needs=("beta",),
)
def gradual_underflow(trial: Trial) -> Outcome:
    """Zeros among the subnormal results."""
    if trial.flush:
        return Outcome(0, 0, note="it declares that it flushes subnormals to zero", not_claimed=True)
    tally, fmt = Tally(trial), trial.fmt
    z, losses, (_, rejected) = _answered(trial)
    up = np.flatnonzero(z > 0)
    batch = Batch.at_logits(z[up])
    judged = [(LOSS, enclosure.softplus_minus(z[up]), losses[up])]
    if rejected is not None:
        judged.append((GRADIENTS[1], enclosure.sigmoid_minus(z[up]), rejected[up]))
    for quantity, exact, got in judged:
        size = centre(exact)
        tiny = np.flatnonzero((size < fmt.smallest_normal) & (size > fmt.smallest_subnormal))
        tally.boolean(quantity, batch.take(tiny), got[tiny], got[tiny] != 0)
    return tally.outcome()


@chapter.clause(
    6,
    Level.MUST,
    "value of the kernel where no derivative is asked for",
    kills=("naive-without-derivatives", "threshold-without-derivatives"),
    statement="The loss at an exactly representable logit z shall be within the kernel's bound, as in KERNEL-1, where no "
    "derivative is asked for, at every seventh of its logits.",
    derivation="KERNEL-1 feeds inputs of which derivatives are wanted. An evaluation, a reward model's or under no_grad, "
    "takes a "
    "path of its own in compiled and in hand-written kernels.",
    needs=("beta", "gradient"),
    remedy="Use one stable log-sigmoid for both paths.",
)
def kernel_value_alone(trial: Trial) -> Outcome:
    """Error of the loss where nothing is differentiated."""
    tally, z = Tally(trial), _logits(trial)[::SPARSE]
    for start in range(0, len(z), BLOCK):
        part = z[start : start + BLOCK]
        batch = Batch.at_logits(part)
        losses = trial.answer(batch).losses
        tally.kernel(LOSS, part, batch, losses, judging.losses(part, losses, trial.fmt), bounds.kernel_losses)
    return tally.outcome()


@chapter.clause(
    7,
    Level.MUST,
    "the kernel with a reference",
    kills=("naive-with-reference", "slope-of-naive-with-reference"),
    statement="Where the reference of one response is not 0, and every difference is exact all the same, the loss and the "
    "derivatives in the policy's log-probabilities shall be within the kernel's bound at that logit.",
    derivation="Policy and reference of one response are numbers of the format within a factor of 2 of each other, so that "
    "their "
    "difference is exact (Sterbenz); the other response's are 0, so that every admitted order gives that difference, and beta "
    "= 1. "
    "A kernel that is fused with the margin may take another path where the reference is 0.",
    needs=("beta",),
    remedy="Use one stable log-sigmoid, whatever the reference is.",
)
def kernel_with_reference(trial: Trial) -> Outcome:
    """Errors at logits that are log-ratios of one response."""
    tally, fmt, rng = Tally(trial), trial.fmt, trial.rng("KERNEL-7")
    size = fmt.round_array(2.0 ** rng.uniform(-4, 10, 8 * trial.sizes.pairs))
    moved = fmt.round_array(size * rng.uniform(0.5, 2, len(size)))
    for chosen in (True, False):
        z = size - moved if chosen else moved - size
        logps = (-moved, 0.0, -size, 0.0) if chosen else (0.0, -moved, 0.0, -size)
        batch = Batch.of(*logps, beta=1.0)
        answer = trial.answer(batch, gradient=trial.implementation.claims.gradient)
        tally.kernel(LOSS, z, batch, answer.losses, judging.losses(z, answer.losses, trial.fmt), bounds.kernel_losses)
        parts = answer.gradient[:2] if answer.gradient is not None else ()
        for quantity, (got, judged) in zip(GRADIENTS, _slopes(trial, z, parts) if parts else (), strict=False):
            tally.kernel(quantity, z, batch, got, judged, bounds.kernel_slopes)
    return tally.outcome()
