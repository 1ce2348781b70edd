"""The audit of saved tensors: every loss and reward of every pair against what correct arithmetic may return."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conformance.auditing.reading.arrays import Stored, arrays
from conformance.auditing.reading.entry import NotALog
from conformance.auditing.report import SHOWN, Cause, Checked, FileReport, Impossible
from conformance.auditing.settings import Settings
from conformance.clauses.mistakes import MISTAKES
from conformance.inputs.batch import NAMES, Batch
from oracle import Format, bounds, enclosure
from oracle.bounds import Acceptance
from oracle.bounds.conditioning import OUT
from oracle.formats import Floats

SIGMOID = ("sigmoid", "cdpo", "robust")
"""The losses whose tensors can be checked pair by pair."""


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """One array's results: the check, the exact values and the interval of each, and what was got."""

    check: str
    statement: str
    got: Floats
    acceptance: Acceptance

    @property
    def wrong(self) -> bounds.Mask:
        """Where a result lies outside its interval."""
        return np.asarray(~(self.acceptance.rho(self.got) <= 1))


def audit_tensors(path: Path, form: str, settings: Settings) -> FileReport:
    """The report of one file of tensors. Raises NotALog where they do not fit together, and OSError."""
    found = arrays(path, form)
    if "logits" in found:
        from conformance.auditing.logits import audit_logits  # noqa: PLC0415 - the sequences, for logits alone

        return audit_logits(path, form, found, settings)
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise NotALog(f"{path}: without {', '.join(missing)}; it holds {', '.join(found)}")
    batch = _batch(path, found, settings)
    results = [name for name in ("losses", "loss", "chosen_rewards", "rejected_rewards") if name in found]
    if not results:
        raise NotALog(f"{path}: log-probabilities, and nothing that was computed from them (losses, loss, chosen_rewards)")
    if settings.beta is None:
        raise NotALog(f"{path}: tensors are checked at one beta: --beta")
    fmt = _format(path, found, results, settings)
    judged = [one for name in results if (one := _judge(path, name, found[name], batch, fmt, settings)) is not None]
    return _report(path, form, settings, batch, fmt, judged)


def _batch(path: Path, found: Mapping[str, Stored], settings: Settings) -> Batch:
    logps = [found[name] for name in NAMES]
    shapes = {one.values.shape for one in logps}
    if len(shapes) != 1:
        told = ", ".join(f"{one.name} {one.values.shape}" for one in logps)
        raise NotALog(f"{path}: the log-probabilities are of unlike shapes: {told}")
    if any(one.fmt is None for one in logps):
        raise NotALog(f"{path}: log-probabilities of whole numbers")
    beta = 0.1 if settings.beta is None else float(settings.beta)
    eps = 0.0 if settings.label_smoothing is None else float(settings.label_smoothing)
    flat = [np.atleast_1d(one.values).ravel() for one in logps]
    return Batch.of(*flat, beta=beta, label_smoothing=eps)


def _format(path: Path, found: Mapping[str, Stored], results: Sequence[str], settings: Settings) -> Format:
    """The format of the arithmetic: as told, or that of what was computed; the log-probabilities have to be its numbers."""
    stored = [fmt for name in results if (fmt := found[name].fmt) is not None]
    if not stored:
        raise NotALog(f"{path}: {results[0]} of whole numbers")
    fmt = settings.dtype or min(stored, key=lambda one: one.precision)
    for name in NAMES:
        values = found[name].values
        if not np.array_equal(fmt.round_array(values.ravel()), values.ravel(), equal_nan=True):
            raise NotALog(
                f"{path}: {found[name].name} is not of numbers of {fmt.name}; say with --dtype in which format was computed"
            )
    return fmt


def _judge(path: Path, name: str, stored: Stored, batch: Batch, fmt: Format, settings: Settings) -> _Judged | None:
    """The acceptance of one array; None where the loss is not one whose pairs are checked."""
    got = np.atleast_1d(stored.values).ravel().astype(np.float64)
    if name == "loss" and got.size != 1:
        name = "losses"
    if name != "loss" and got.size != len(batch):
        raise NotALog(f"{path}: {stored.name} has {got.size:,} numbers for {len(batch):,} pairs")
    if name in {"losses", "loss"}:
        if settings.loss not in SIGMOID[:2]:
            return None
        each = bounds.loss(_pairs(batch), fmt)
        if name == "losses":
            return _Judged("losses", "Each loss lies in its acceptance interval.", got, each)
        return _Judged("mean loss", "The mean loss lies in its acceptance interval.", got, bounds.mean(each))
    side = 0 if name == "chosen_rewards" else 1
    statement = "Each reward is beta times its log-ratio, within three roundings."
    return _Judged(name.replace("_", " "), statement, got, reward(batch, side, fmt))


def _pairs(batch: Batch) -> bounds.Pairs:
    return bounds.Pairs(*batch.logps, batch.beta, batch.label_smoothing)


def reward(batch: Batch, side: int, fmt: Format) -> Acceptance:
    """The acceptance interval of beta * (policy - reference), of the chosen (side 0) or the rejected (1) responses.

    A difference, beta rounded into the format, and a product: three roundings, (1 + u)**3 - 1 <= 3 u (1 + 2 u) in all, and
    an underflow of one quantum in the product.
    """
    nothing = np.zeros(len(batch))
    exact = enclosure.margin(batch.logps[side], nothing, batch.logps[2 + side], nothing) * batch.beta
    u = fmt.unit_roundoff
    room = abs(exact) * (3 * u * (1 + 2 * u) * OUT) + 2 * fmt.smallest_normal
    zero = np.zeros(len(batch), dtype=bool)
    return Acceptance(exact, exact - room, exact + room, zero, fmt)


def _report(path: Path, form: str, settings: Settings, batch: Batch, fmt: Format, judged: list[_Judged]) -> FileReport:
    n = len(batch)
    wrong, asked = np.zeros(n, bool), np.zeros(n, bool)
    checks: list[Checked] = []
    findings: list[Impossible] = []
    for one in judged:
        bad = one.wrong
        checks.append(Checked(one.check, one.statement, f"{one.check} in the interval", bad.size, int(bad.sum())))
        wrong |= bad if bad.size == n else bad.any()
        asked |= True
        exact = bounds.centre(one.acceptance.exact)
        findings += [
            Impossible(one.check, int(i) + 1, "train", None, float(one.got[i]), float(exact[i]))
            for i in np.flatnonzero(bad)[: max(0, SHOWN - len(findings))]
        ]
    if not judged:
        checks.append(
            Checked("losses", "Each loss lies in its acceptance interval.", "", 0, 0, needs=f"pairs of {settings.loss}")
        )
    return FileReport(
        file=str(path),
        form=form,
        settings={"beta": f"{batch.beta:g}", "label_smoothing": f"{batch.label_smoothing:g}", "loss": settings.loss},
        lines=n,
        consistent=int(np.count_nonzero(asked & ~wrong)),
        impossible=int(np.count_nonzero(wrong)),
        undecided=int(np.count_nonzero(~asked)),
        cut=0,
        cuts=(),
        checks=tuple(checks),
        findings=tuple(findings),
        causes=tuple(Cause(text, n) for text in _causes(batch, fmt, judged)),
        notices=(),
        format=fmt.name,
        unit="pair",
    )


# -- causes ------------------------------------------------------------------------------------------------------------


def _causes(batch: Batch, fmt: Format, judged: list[_Judged]) -> list[str]:
    """What every loss, or the mean, is the right answer to instead."""
    wrong = [one for one in judged if one.check in {"losses", "mean loss"} and one.wrong.any()]
    if not wrong:
        return []
    found = []
    for text, mistake in MISTAKES.items():
        try:
            each = bounds.loss(_pairs(mistake(batch)), fmt)
        except (ValueError, ZeroDivisionError):
            continue
        if all(_fits(one, each) for one in wrong):
            found.append(text)
    return found + _scaled(batch, fmt, wrong)


def _fits(one: _Judged, each: Acceptance) -> bool:
    acceptance = each if one.check == "losses" else bounds.mean(each)
    return bool((acceptance.rho(one.got) <= 1).all())


def _scaled(batch: Batch, fmt: Format, wrong: list[_Judged]) -> list[str]:
    """A constant factor: the sum for the mean, the mean for each, in bits, halved, doubled, negated."""
    factors = {
        "the sum of the losses, not their mean": float(len(batch)),
        "the loss in bits, not in nats": 1 / math.log(2),
        "half the loss": 0.5,
        "twice the loss": 2.0,
        "the loss with its sign flipped": -1.0,
    }
    each = bounds.loss(_pairs(batch), fmt)
    found = []
    for text, factor in factors.items():
        near = all(_near(one, each if one.check == "losses" else bounds.mean(each), factor, fmt) for one in wrong)
        if near:
            found.append(text)
    if len(batch) > 1 and all(one.check == "losses" for one in wrong):
        same = bounds.mean(each)[np.zeros(len(batch), np.intp)]
        if all((same.rho(one.got) <= 1).all() for one in wrong):
            found.append("the mean of the losses, for every pair")
    return found


def _near(one: _Judged, acceptance: Acceptance, factor: float, fmt: Format) -> bool:
    with np.errstate(all="ignore"):
        undone = one.got / factor
    slack = acceptance.exact * 0 + abs(acceptance.exact) * (4 * fmt.unit_roundoff)
    wider = Acceptance(acceptance.exact, acceptance.low - slack, acceptance.high + slack, acceptance.zero, fmt)
    return bool((wider.rho(undone) <= 1).all())
