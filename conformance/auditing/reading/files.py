"""A file's form, told by what it holds, and its reader."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from conformance.auditing.reading import document, table, text
from conformance.auditing.reading.entry import Cut, Entry, NotALog

Read = Callable[[int], None]
"""Told now and then how many bytes have been read."""
HEAD = 1 << 16
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def form(path: Path) -> str:
    """What the file holds: parquet, tensorboard, npz, safetensors, array, document, lines, dicts, table or text.

    Raises NotALog for an empty file, a pickle, a compressed file and one that is no text; OSError.
    """
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
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    length = struct.unpack("<Q", head[:8])[0] if len(head) > 8 else 0
    if head[8:9] == b"{" and 2 <= length < 1 << 32:
        return "safetensors"
    if b"brain.Event:" in head[:64]:
        return "tensorboard"
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise NotALog(f"{path}: compressed by {name}; unpack it first")
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        raise NotALog(f"{path}: a pickle, which runs code when it is loaded; save tensors as .npz or safetensors")
    if b"\0" in head:
        raise NotALog(f"{path}: neither a text nor Parquet, TensorBoard events, .npz or safetensors")
    return None


def entries(path: Path, read: Read | None = None) -> Iterator[Entry | Cut]:
    """The lines of a log, in order, with those that could not be read. Memory does not grow with the file.

    Raises NotALog and OSError.
    """
    told = read or (lambda _: None)
    found = form(path)
    if found in {"npz", "safetensors"}:
        raise NotALog(f"{path}: tensors, not a log")
    if found == "parquet":
        return table.parquet(path, told)
    if found == "tensorboard":
        return table.tensorboard(path, told)
    if found == "table":
        return table.separated(path, told)
    if found in {"array", "document"}:
        return document.entries(path, told)
    return text.entries(path, told, strict=found == "lines")
