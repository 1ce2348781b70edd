"""Databases of SQLite that trackers keep: MLflow's table of values, and Trackio's of JSON objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from conformance.auditing.reading.entry import Entry, NotALog
from conformance.auditing.reading.gathering import Gathered, record
from conformance.auditing.reading.text import DECODER

MAGIC = b"SQLite format 3\0"
LISTED = 12
"""Runs that are named where one is to be chosen."""


def entries(path: Path, read: Callable[[int], None], run: str | None) -> Iterator[Entry]:
    """The lines of one run, by its id or its name. Raises NotALog where there is no table of metrics, or no such run."""
    try:
        with closing(sqlite3.connect(_address(path), uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            stored = database.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'metrics'").fetchone()
            columns = (
                {row[1] for row in database.execute("PRAGMA table_info(metrics)")} if stored else set()
            )  # a view may never end
            if {"key", "value", "run_uuid", "step"} <= columns:
                yield from _values(database, _chosen(path, database, "run_uuid", _named(database), run))
            elif {"metrics", "run_name", "step"} <= columns:
                yield from _objects(database, _chosen(path, database, "run_name", {}, run))
            else:
                raise NotALog(f"{path}: a database of SQLite without the metrics of MLflow or Trackio; export them as CSV")
    except sqlite3.Error as error:
        raise NotALog(f"{path}: not read as a database of SQLite: {error}") from None
    read(path.stat().st_size)


def _address(path: Path) -> str:
    """Where it is read from: with no file written beside it, unless what was written last still lies in one."""
    log = path.with_name(path.name + "-wal")
    pending = log.exists() and log.stat().st_size
    return f"{path.absolute().as_uri()}?mode=ro{'' if pending else '&immutable=1'}"


def _named(database: sqlite3.Connection) -> dict[str, str]:
    """MLflow's runs by name, where they have one of their own."""
    columns = {row[1] for row in database.execute("PRAGMA table_info(runs)")}
    if not {"run_uuid", "name"} <= columns:
        return {}
    rows = database.execute("SELECT name, run_uuid FROM runs WHERE name IS NOT NULL").fetchall()
    return {str(name): str(identity) for name, identity in rows}


def _chosen(path: Path, database: sqlite3.Connection, column: str, named: dict[str, str], run: str | None) -> str:
    runs = [str(row[0]) for row in database.execute(f"SELECT DISTINCT {column} FROM metrics ORDER BY 1")]
    wanted = named.get(run or "", run)
    if wanted in runs:
        return wanted
    if run is None and len(runs) == 1:
        return runs[0]
    names = {identity: name for name, identity in named.items()}
    told = ", ".join(f"{names[one]} ({one})" if one in names else one for one in runs[:LISTED])
    told += ", ..." if len(runs) > LISTED else ""
    raise NotALog(
        f"{path}: {f'no run {run}; it' if run is not None else 'it'} holds {len(runs):,} runs: {told}; --run names one"
    )


def _values(database: sqlite3.Connection, run: str) -> Iterator[Entry]:
    """MLflow: a row a value, with NaN in a column of its own."""
    gathered = Gathered()
    query = "SELECT key, CASE WHEN is_nan THEN 'nan' ELSE value END, step FROM metrics WHERE run_uuid = ? ORDER BY step, key"
    step: Any = None
    number = 0
    for key, value, at in database.execute(query, (run,)):
        number += at != step
        step = at
        yield from gathered.add(number, at, key, value)
    yield from gathered.rest()


def _objects(database: sqlite3.Connection, run: str) -> Iterator[Entry]:
    """Trackio: a row an object of names and figures."""
    query = "SELECT step, metrics FROM metrics WHERE run_name = ? ORDER BY id"
    gathered = Gathered()
    for number, (step, stored) in enumerate(database.execute(query, (run,)), 1):
        try:
            value = DECODER.decode(stored.decode("utf-8") if isinstance(stored, bytes) else stored)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(value, dict):
            yield from record(number, {"step": step, **value}, gathered)
