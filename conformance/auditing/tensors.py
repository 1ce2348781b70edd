"""The audit of saved tensors: every loss and reward of every pair against what correct arithmetic may return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from conformance.auditing.reading.arrays import Stored, arrays
from conformance.auditing.reading.entry import NotALog
from conformance.auditing.report import SHOWN, Cause, Checked, FileReport, Impossible
from conformance.auditing.settings import Settings
from conformance.auditing.tensor_causes import Wrong, explained
from conformance.inputs.batch import NAMES, Batch
from oracle import Format, bounds, enclosure
from oracle.bounds import Acceptance
from oracle.bounds.conditioning import OUT
from oracle.bounds.expression import running
from oracle.expressions.nodes import mean
from oracle.formats import Floats
from oracle.losses import get_loss

LENGTHS = ("chosen_lengths", "rejected_lengths")


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
    rows = _rows(path, found, batch)
    judged = [one for name in results if (one := _judge(path, name, found[name], rows, batch, fmt, settings)) is not None]
    return _report(path, form, settings, rows, batch, fmt, judged)


def _rows(path: Path, found: Mapping[str, Stored], batch: Batch) -> dict[str, Floats]:
    """The columns that a loss may take: the log-probabilities, and the lengths where they are there."""
    rows = dict(zip(NAMES, batch.logps, strict=True))
    for name in LENGTHS:
        if name in found:
            rows[name] = np.atleast_1d(found[name].values).ravel().astype(np.float64)
            if len(rows[name]) != len(batch):
                raise NotALog(f"{path}: {found[name].name} has {len(rows[name]):,} numbers for {len(batch):,} pairs")
    return rows


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


def _judge(
    path: Path, name: str, stored: Stored, rows: Mapping[str, Floats], batch: Batch, fmt: Format, settings: Settings
) -> _Judged | None:
    """The acceptance of one array; None where the loss takes what is not there."""
    got = np.atleast_1d(stored.values).ravel().astype(np.float64)
    if name == "loss" and got.size != 1:
        name = "losses"
    if name != "loss" and got.size != len(batch):
        raise NotALog(f"{path}: {stored.name} has {got.size:,} numbers for {len(batch):,} pairs")
    if name in {"losses", "loss"}:
        whole = name == "loss"
        acceptance = _accepted(rows, batch, fmt, settings, whole=whole)
        if acceptance is None:
            return None
        what = "The mean loss" if whole else "Each loss"
        return _Judged("mean loss" if whole else "losses", f"{what} lies in its acceptance interval.", got, acceptance)
    side = 0 if name == "chosen_rewards" else 1
    statement = "Each reward is beta times its log-ratio, within three roundings."
    return _Judged(name.replace("_", " "), statement, got, reward(batch, side, fmt))


def _accepted(rows: Mapping[str, Floats], batch: Batch, fmt: Format, settings: Settings, *, whole: bool) -> Acceptance | None:
    """The intervals of the configured loss, or of its mean; None where it takes what is not there (lengths, a parameter)."""
    if settings.loss in {"sigmoid", "cdpo"}:
        each = bounds.loss(bounds.Pairs(*batch.logps, batch.beta, batch.label_smoothing), fmt)
        return bounds.mean(each) if whole else each
    loss = get_loss(settings.loss)
    if _wanted(rows, settings):
        return None
    given: dict[str, Fraction | None] = {"beta": settings.beta, "label_smoothing": settings.label_smoothing}
    known = {name: x for name in loss.defaults if (x := given.get(name, settings.parameters.get(name))) is not None}
    found = running({name: rows[name] for name in loss.inputs}, known, fmt).acceptance(
        mean(loss.definition) if whole else loss.definition
    )
    return found[np.zeros(1, np.intp)] if whole else found


def _wanted(rows: Mapping[str, Floats], settings: Settings) -> list[str]:
    """What the configured loss takes that neither the file has nor an option tells."""
    if settings.loss in {"sigmoid", "cdpo"}:
        return []
    loss, told = get_loss(settings.loss), {"beta": settings.beta, "label_smoothing": settings.label_smoothing}
    options = [name for name in loss.defaults if told.get(name, settings.parameters.get(name)) is None]
    return [name for name in loss.inputs if name not in rows] + options


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


def _report(
    path: Path,
    form: str,
    settings: Settings,
    rows: Mapping[str, Floats],
    batch: Batch,
    fmt: Format,
    judged: list[_Judged],
) -> FileReport:
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
    if wanted := _wanted(rows, settings):
        needs = f"{settings.loss} takes {', '.join(wanted)}"
        checks.append(Checked("losses", "Each loss lies in its acceptance interval.", "", 0, 0, needs=needs))
    wrongs = {one.check: Wrong(one.got, one.wrong) for one in judged if "loss" in one.check and one.wrong.any()}
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
        causes=tuple(Cause(text, n) for text in explained(wrongs, rows, batch, fmt, settings)),
        notices=(),
        format=fmt.name,
        unit="pair",
    )
