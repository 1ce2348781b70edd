"""The front door: a report of records in memory, or of a file whose form is told by what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.auditing.log import audit_log
from conformance.auditing.names import called
from conformance.auditing.reading import Cut, Entry, NotALog, entries
from conformance.auditing.reading.entry import split
from conformance.auditing.reading.files import form
from conformance.auditing.reading.gathering import flat
from conformance.auditing.reading.unreadable import told_by_text
from conformance.auditing.report import FileReport, Report
from conformance.auditing.settings import Settings
from conformance.errors import BadRequest


def audit(records: Iterable[Mapping[str, Any]], *, columns: Mapping[str, str] | None = None, **settings: Any) -> Report:
    """The report of a run's log, given as the mappings that a trainer logs (transformers' `log_history`, say).

    settings: loss, beta, label_smoothing, pairs_per_line, accumulation, ranks, dtype, parameters (of the loss, by name),
    added_term and reference_free, as the command `audit` takes them. Names are those that trainers use: "loss",
    "rewards/margins", "eval_loss". A figure may be a number or a text; an entry of which nothing is known counts for
    nothing. columns: what names mean that nobody else uses: {"pref_objective": "loss"}. Raises BadRequest for what is no
    record or no setting.
    """
    told = Settings.of(**settings)
    with called(columns or {}):
        return Report((audit_log(_given(records), told, form="records"),))


def _given(records: Iterable[Mapping[str, Any]]) -> Iterator[Entry | Cut]:
    for number, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise BadRequest(f"record {number} is a {type(record).__name__}, not a mapping of names and figures")
        yield from split(number, ((name, _plain(value)) for name, value in flat(record)))


def _plain(value: object) -> object:
    """A number of NumPy or of a framework, of one element, as a float; anything else as it is."""
    if isinstance(value, str | int | float):
        return value
    try:
        return value.item()  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return value


def audit_file(
    path: Path,
    settings: Settings,
    read: Callable[[int], None] | None = None,
    run: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> FileReport:
    """The report of one file, or of a run's folder. read: told how many bytes have been read. run: which run of a database.

    columns: what names mean that nobody else uses: {"pref_objective": "loss"}. Raises BadRequest, NotALog and OSError.
    """
    with called(columns or {}):
        return _audited(path, settings, read, run)


def _audited(path: Path, settings: Settings, read: Callable[[int], None] | None, run: str | None) -> FileReport:
    found = form(path)
    if found in {"npz", "safetensors"}:
        from conformance.auditing.tensors import audit_tensors  # noqa: PLC0415 - the oracle's bounds, for tensors alone

        return audit_tensors(path, found, settings)
    report = audit_log(entries(path, read, run), settings, file=str(path), form=found)
    if report.lines == 0 and report.cut == 0:
        seems = None if found in {"mlflow", "tensorboard", "parquet", "sqlite"} else told_by_text(path)
        raise NotALog(f"{path}: {seems or 'no line with a figure that is known (loss, rewards/margins, ...)'}")
    return report
