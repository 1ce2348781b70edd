"""Means that are wrong at some sizes, of views, or beside what is not finite: which number is returned for them.

A few losses among many that vanish are added without a rounding, so that a reduction is told at any size (REDUCE-7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.clauses import find
from conformance.clauses.accepted import accepted_gradients, accepted_losses
from conformance.clauses.quantities import SIGNS
from conformance.clauses.trial import POWERS, Trial
from conformance.diagnosis.hypotheses import GRADIENTS, LOSSES, REDUCTIONS
from conformance.diagnosis.hypotheses.cures import FACTOR
from conformance.diagnosis.places import from_size
from conformance.diagnosis.points import Part, closest, holds
from conformance.diagnosis.probe import PAIRS, Call, Probe, ask, wrong_derivatives, wrong_losses
from conformance.diagnosis.shapes import VAGUE
from conformance.diagnosis.variants import Variant
from conformance.inputs.batch import Batch
from conformance.records.diagnosis import Cause, Kind
from conformance.records.record import Finding
from oracle import bounds
from oracle.formats import Floats

_FAR = 2.0**15
"""A margin whose loss is 0 in every format."""
_LOST = (-40.0, -22.0, -71.0)
"""Margins of the pairs that count, the first, one in the middle and the last of a batch: none is the mean of others."""
_FEW = (2, 3, 5, 9, 13, 16)
_OPTIONS = ((0.5, 0.1), (2.0, 0.0), (0.1, 0.0), (0.07, 0.0), (1.0, 0.03), (1.0, 0.25))


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is made of the losses of a batch. says: the end of a sentence. of: the number, from the losses in float64."""

    says: str
    of: Callable[[Floats], float]
    key: str = ""


def _mean(losses: Floats) -> float:
    return float(losses.sum() / max(len(losses), 1))


def _power(n: int) -> int:
    return 1 << (n - 1).bit_length()


SUMS = tuple(
    Reduction(variant.says, lambda v, after=variant.after: float(after(v)[0]), variant.key)  # type: ignore[misc]
    for variant in REDUCTIONS
    if variant.after is not None
)
"""Those that a probe knows too."""
ZERO = Reduction("0", lambda v: 0.0)
WRONG: tuple[Reduction, ...] = (
    *SUMS,
    ZERO,
    Reduction("minus the mean", lambda v: -_mean(v)),
    Reduction("twice the mean", lambda v: 2 * _mean(v)),
    *(
        Reduction(f"the sum divided by the next multiple of {size}", lambda v, size=size: v.sum() / (-(-len(v) // size) * size))  # type: ignore[misc]
        for size in (4, 8, 16, 32, 64, 128, 256)
    ),
    Reduction("the sum divided by the next power of two", lambda v: v.sum() / _power(len(v))),
    *(
        Reduction(
            f"the sum of the full chunks of {size} alone, divided by n{', where there is one' if least else ''}",
            lambda v, size=size, least=least: v[: len(v) // size * size or (len(v) if least else 0)].sum() / len(v),  # type: ignore[misc]
        )
        for least in (False, True)
        for size in (4, 8, 16, 32, 64, 128, 256)
    ),
    Reduction("the mean over the losses that are not 0", lambda v: _mean(v[v != 0])),
)
FACTORS: tuple[tuple[str, Callable[[int], float]], ...] = (
    ("0", lambda n: 0.0),
    ("twice the right ones", lambda n: 2.0),
    ("half of the right ones: the sum divided by 2 n, the number of rows, chosen and rejected", lambda n: 0.5),
    ("those of the sum, not of the mean", float),
    ("divided by n once more", lambda n: 1 / n),
    ("the right ones with the opposite sign", lambda n: -1.0),
    ("those of the sum divided by n - 1", lambda n: n / max(n - 1, 1)),
)
"""What the derivatives of a mean are multiplied by, in words and by the number of pairs."""


def cause(trial: Trial, violated: Sequence[Finding]) -> Cause | None:
    """What a mean is, and where; None where means are right or none is returned."""
    concerned = [finding for finding in violated if finding.clause.startswith("REDUCE-")]
    if not trial.single or not concerned:
        return None
    named = {finding.clause for finding in concerned}
    looks = (_of_sums, _of_additions, _of_slopes, _of_options, _of_views)
    found = next((told for look in looks if (told := look(trial)) is not None), None)
    if found is None and named & {"REDUCE-3", "REDUCE-6"}:
        found = _of_what_is_not_finite(trial)
    return found if found is None or found.cure else replace(found, cure=find(concerned[0].clause).remedy)


# -- reductions, of a few losses among many that vanish ------------------------------------------------------------------------


def _few(trial: Trial, n: int) -> Batch:
    """n pairs of which the first, the middle one and the last are lost, the others won by far."""
    pc, pr = np.zeros(n), np.full(n, -_FAR)
    for place, margin in zip(dict.fromkeys((0, n // 2, n - 1)), _LOST, strict=False):
        pc[place], pr[place] = margin, 0.0
    return trial.optioned(Batch.of(pc, pr), beta=1.0, label_smoothing=0.0)


def _sizes(trial: Trial) -> list[int]:
    return sorted({*trial.few_to_130("REDUCE-10"), *(() if trial.compiles else (*POWERS, 1000, 1001, 8193))})


def _of_sums(trial: Trial) -> Cause | None:
    seen = []
    for n in _sizes(trial):
        call = ask(trial, "mean", _few(trial, n), "losses alone", mean=True)
        if call.answer is not None:
            margin = call.batch.logps[0] - call.batch.logps[1]
            seen.append(
                (n, float(call.losses[0]), np.logaddexp(0, -call.batch.beta * margin), bool(wrong_losses(trial, call)[0]))
            )
    room = 16 * trial.fmt.unit_roundoff

    def holds_at(reduction: Reduction, got: float, losses: Floats) -> bool:
        expected = reduction.of(losses)
        return abs(got - expected) <= room * abs(expected) + trial.fmt.smallest_normal

    wrong = [one for one in seen if one[3]]
    if not wrong:
        return None
    fit = [
        one
        for one in (*(ZERO,) * all(got == 0 for _, got, _, _ in wrong), *WRONG, *_first(wrong), *_factor(wrong))
        if all(holds_at(one, got, losses) for _, got, losses, _ in wrong)
    ]
    everywhere = (one for one in fit if all(holds_at(one, got, losses) for _, got, losses, _ in seen))
    reduction = next(everywhere, fit[0] if fit else None)
    if reduction is None:
        return None
    right = [n for n, got, losses, bad in seen if not bad and not holds_at(reduction, got, losses)]
    told = _cause(reduction.says, "loss", [one[0] for one in wrong], right, len(seen), FACTOR)
    return replace(told, key=reduction.key or told.key)


def _of_additions(trial: Trial) -> Cause | None:
    """One by one in the format of the losses, where a wider one is declared: the partial sums stand still."""
    if trial.accumulation is None:
        return None
    n = 4097
    batch = trial.optioned(Batch.of(*PAIRS).take(np.zeros(n, dtype=np.intp)), beta=0.5, label_smoothing=0.0)
    call = ask(trial, "mean", batch, "losses alone", mean=True)
    if call.answer is None or not wrong_losses(trial, call).any():
        return None
    one, total = float(trial.answer(batch.take([0])).losses[0]), 0.0
    for _ in range(n):
        total = float(trial.fmt.round_array(total + one))
    if abs(float(call.losses[0]) - total / n) > 16 * trial.fmt.unit_roundoff * total / n:
        return None
    says = (
        f"added up one by one in {trial.fmt.name}, though {trial.accumulation.name} is declared: the partial sums stand still"
    )
    return _cause(says, "loss", [n], [], 1, "Add up in the format that is declared, or declare none.")


def _first(wrong: Sequence[tuple[int, float, Floats, bool]]) -> Iterator[Reduction]:
    """The mean of the first k pairs, k being what the numbers tell."""
    n, got, losses, _ = wrong[-1]
    for total in np.cumsum(losses)[[0, n // 2]]:
        k = total / got if got else 0.0
        for digits in (1, 2, 3, 4, 5):
            most = int(float(f"{k:.{digits}g}")) if 1 <= k < n else 0
            if most:
                yield Reduction(f"the mean of the first {most:,} pairs", lambda v, most=most: _mean(v[:most]))  # type: ignore[misc]
        most = 1 << max(round(np.log2(k)), 0) if 1 <= k < n else 0
        if most:
            yield Reduction(f"the mean of the first {most:,} pairs", lambda v, most=most: _mean(v[:most]))  # type: ignore[misc]


def _factor(wrong: Sequence[tuple[int, float, Floats, bool]]) -> Iterator[Reduction]:
    ratio = float(np.median([got / _mean(losses) for _, got, losses, _ in wrong]))
    for digits in (1, 2, 3, 4):
        factor = float(f"{ratio:.{digits}g}") if np.isfinite(ratio) else 0.0
        yield Reduction(f"{factor:g} times the mean", lambda v, factor=factor: factor * _mean(v))  # type: ignore[misc]


def _cause(says: str, part: Part, wrong: Sequence[int], right: Sequence[int], asked: int, cure: str = "") -> Cause:
    return Cause(f"mean: {says}", Kind.BATCH, part, says, _at(wrong, right), cure, asked, len(wrong))


def _at(wrong: Sequence[int], right: Sequence[int]) -> str:
    """The sizes at which it is wrong, in words."""
    if not right:
        return ""
    if min(wrong) > max(right):
        return from_size(min(wrong))
    if max(wrong) < min(right):
        return f"in batches of up to {max(wrong):,} pairs"
    if len(set(wrong)) == 1:
        return f"in batches of exactly {wrong[0]:,} pairs"
    return f"in batches of {', '.join(f'{n:,}' for n in sorted(set(wrong))[:4])} pairs and others"


# -- derivatives ---------------------------------------------------------------------------------------------------------------


def _of_slopes(trial: Trial) -> Cause | None:
    """A factor of all derivatives, which depends on the number of pairs."""
    if not trial.implementation.claims.gradient:
        return None
    short = trial.optioned(Batch.of(*PAIRS), beta=0.5, label_smoothing=0.0)
    each, seen = accepted_gradients(trial, short), []
    for n in _sizes(trial):
        places = np.arange(n) % len(short)
        call = ask(trial, "mean", short.take(places), mean=True)
        if call.answer is not None:
            shared = bounds.shared(each[places], n, short.beta, trial.accumulation)
            got = [(place, SIGNS[place] * part) for place, part in call.derivatives()]
            seen.append((n, got, shared, not all((shared.rho(part) <= 1).all() for _, part in got)))
    wrong = [one for one in seen if one[3]]
    if not wrong:
        return None

    def fits(factor: Callable[[int], float], n: int, parts: list[tuple[int, Floats]], shared: bounds.Acceptance) -> bool:
        k = factor(n)
        return all(bool((part == 0).all() if k == 0 else (shared.rho(part / k) <= 1).all()) for _, part in parts)

    for says, factor in FACTORS:
        if all(fits(factor, n, parts, shared) for n, parts, shared, _ in wrong):
            right = [n for n, parts, shared, bad in seen if not bad and not fits(factor, n, parts, shared)]
            return _cause(says, "derivatives", [one[0] for one in wrong], right, len(seen))
    return None


# -- options and views ---------------------------------------------------------------------------------------------------------


def _of_options(trial: Trial) -> Cause | None:
    """A variant of each pair's loss in batches of two or more, at sizes that a format adds up well."""
    short = Batch.of(*PAIRS)
    calls = []
    for beta, eps in _OPTIONS:
        for n in (1, *_FEW[: 2 if trial.compiles else None], *(() if trial.compiles else (10, 12))):
            batch = trial.optioned(
                _won(short, n) if eps in {0.03, 0.25} else short.take(np.arange(n)), beta=beta, label_smoothing=eps
            )
            calls.append(ask(trial, "mean", batch, mean=True))
    calls = [call for call in calls if call.answer is not None]
    probe = Probe(trial, tuple(calls), (), ())
    parts: tuple[tuple[Part, Callable[[Trial, Call], Floats], tuple[Variant, ...]], ...] = (
        ("loss", wrong_losses, (*LOSSES,)),  # type: ignore[assignment]
        ("derivatives", wrong_derivatives, (*GRADIENTS, *LOSSES)),
    )
    for part, judge, variants in parts:
        wrong = [call for call in calls if judge(trial, call).any()]
        if not wrong:
            continue
        for variant in closest((*variants, *(_taken(wrong) if part == "loss" else ())), wrong, probe, part):
            right = [len(c.batch) for c in calls if c not in wrong and not holds(variant, c, probe, part).all()]
            return _cause(variant.says, part, [len(call.batch) for call in wrong], right, len(calls))
    return None


def _won(short: Batch, n: int) -> Batch:
    """Pairs that are won by 40 nats and more, whose smoothed loss is eps z."""
    return Batch.of(np.zeros(n), -40.0 - np.arange(n) / 2)


def _taken(wrong: Sequence[Call]) -> Iterator[Variant]:
    """One option as another number, by what was asked: the number that the mean of two pairs tells."""
    betas: dict[float, float] = {}
    smoothings: dict[float, float] = {}
    for call in wrong:
        beta, eps, got = call.batch.beta, call.batch.label_smoothing, float(call.losses[0])
        z = (call.batch.logps[0] - call.batch.logps[2]) - (call.batch.logps[1] - call.batch.logps[3])
        if eps == 0:
            betas.setdefault(beta, _solved(got, z))
        elif (beta * z).min() > 30:
            smoothings.setdefault(eps, got / float(np.mean(beta * z)))
    for name, table in (("beta", betas), ("label_smoothing", smoothings)):
        for digits in (1, 2, 3):
            changed = {old: float(f"{new:.{digits}g}") for old, new in table.items() if np.isfinite(new)}
            if not changed:
                continue
            told = ", ".join(f"{new:.4g} for {old:.4g}" for old, new in changed.items())

            def options(b: float, e: float, name: str = name, changed: dict[float, float] = changed) -> tuple[float, float]:
                return (changed.get(b, b), e) if name == "beta" else (b, changed.get(e, e))

            yield Variant(f"another {name}", f"the mean at another {name} than was asked: {told}", "", options=options)


def _solved(got: float, margins: Floats) -> float:
    """The beta at which the mean of softplus(-beta m) is what was got, by bisection; NaN where there is none."""
    betas = np.geomspace(1e-3, 1e2, 4000)
    values = np.logaddexp(0, -betas[:, np.newaxis] * margins).mean(axis=1)
    at = int(np.argmin(np.abs(values - got)))
    return float(betas[at]) if abs(values[at] - got) < 0.02 * abs(got) else float("nan")


def _of_views(trial: Trial) -> Cause | None:
    """Views of two or more pairs."""
    short = Batch.of(*PAIRS)
    for n in (9, 16):
        batch = trial.optioned(short.take(np.arange(n)), beta=0.5, label_smoothing=0.1)
        plain, call = (ask(trial, "mean", batch, how, mean=True) for how in ("", "strided"))
        if call.answer is None or wrong_losses(trial, plain).any() or wrong_derivatives(trial, plain).any():
            return None
        where, cure = "for inputs that are strided views", "Honour the strides of the inputs, or make them contiguous first."
        if wrong_losses(trial, call).any():
            return Cause("mean of views", Kind.BATCH, "loss", VAGUE["loss"], where, cure, 1, 1)
        if wrong_derivatives(trial, call).any():
            shared = bounds.shared(accepted_gradients(trial, batch), n, batch.beta, trial.accumulation)
            parts = [SIGNS[place] * got for place, got in call.derivatives()]
            says = next(
                (told for told, k in FACTORS if k(n) and all((shared.rho(part / k(n)) <= 1).all() for part in parts)),
                VAGUE["derivatives"],
            )
            return Cause("mean of views", Kind.BATCH, "derivatives", says, where, cure, n, n)
    return None


def _of_what_is_not_finite(trial: Trial) -> Cause | None:
    """The mean beside a NaN, or an infinite loss: of the other pairs alone, or another number."""
    short = trial.optioned(Batch.of(*PAIRS).take(np.arange(3)), beta=0.5, label_smoothing=0.0)
    for value, words in ((np.nan, "where a log-probability is NaN"), (-np.inf, "where a loss is infinite")):
        call = ask(trial, "mean", short.with_value(0, 1, value), "losses alone", mean=True)
        got = float(call.losses[0])
        if call.answer is None or not np.isfinite(got):
            continue
        others = bounds.centre(accepted_losses(trial, short.take([0, 2])).exact)
        for says, number in (
            ("the mean of the other pairs alone", others.mean()),
            ("the mean with 0 in its place", others.sum() / 3),
        ):
            if abs(got - number) <= 16 * trial.fmt.unit_roundoff * abs(number):
                return Cause(f"mean: {says}", Kind.BATCH, "loss", says, words, "", 1, 1)
        return Cause("mean: finite", Kind.BATCH, "loss", f"a number, {got:.4g}", words, "", 1, 1)
    return None
