"""A file's form, told by what it holds, and its reader."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.auditing.reading import database, document, folder, table, text
from conformance.auditing.reading.entry import Cut, Entry, NotALog
from conformance.auditing.reading.unreadable import told_by_members, told_by_start

Read = Callable[[int], None]
"""Told now and then how many bytes have been read."""
HEAD = 1 << 16


def form(path: Path) -> str:
    """What it holds: mlflow, tensorboard, parquet, sqlite, npz, safetensors, array, document, lines, table or text.

    Raises NotALog for an empty file, a pickle, and what else is not read, which it names where it is known; OSError.
    """
    if path.is_dir():
        return folder.form(path)
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise NotALog(f"{path}: empty")
    binary = _binary(path, head)
    if binary is not None:
        return binary
    return text.form(head.decode("utf-8-sig", errors="replace"))


def _binary(path: Path, head: bytes) -> str | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(database.MAGIC):
        return "sqlite"
    unread = told_by_members(path) if head.startswith(b"PK\x03\x04") else told_by_start(head)
    if unread is not None:
        raise NotALog(f"{path}: {unread}")
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    length = struct.unpack("<Q", head[:8])[0] if len(head) > 8 else 0
    if head[8:9] == b"{" and 2 <= length < 1 << 32:
        return "safetensors"
    if b"brain.Event:" in head[:64]:
        return "tensorboard"
    if b"\0" in head:
        raise NotALog(f"{path}: neither a text nor Parquet, TensorBoard events, SQLite, .npz or safetensors")
    return None


def entries(path: Path, read: Read | None = None, run: str | None = None) -> Iterator[Entry | Cut]:
    """The lines of a log, in order, with those that could not be read. Memory does not grow with the file.

    run: which run of a database.

    Raises NotALog and OSError.
    """
    told = read or (lambda _: None)
    found = form(path)
    if found in {"npz", "safetensors"}:
        raise NotALog(f"{path}: tensors, not a log")
    if path.is_dir():
        return folder.entries(path, told)
    if found == "sqlite":
        return database.entries(path, told, run)
    if found == "parquet":
        return table.parquet(path, told)
    if found == "tensorboard":
        return table.tensorboard(path, told)
    if found == "table":
        return table.separated(path, told)
    if found in {"array", "document"}:
        return document.entries(path, told)
    return text.entries(path, told, strict=found == "lines")
