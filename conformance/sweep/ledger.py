"""The ledger of a sweep: a file to which each finished shard is added, so that a sweep that was ended can be carried on.

Line 1 says what the file is, line 2 what is swept, every further line holds one shard; from line 2 on a checksum leads.
A line that a kill cut short has no end of line, and is dropped; anything else that is not whole is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from conformance.errors import ConformanceError
from conformance.sweep.found import Found, found_from
from conformance.sweep.identity import differences
from conformance.sweep.plan import Shard

MAGIC = b"dpo-conformance sweep ledger 1\n"


class NotALedger(ConformanceError):
    """The file to resume from is something else; it is left as it is."""


class CorruptLedger(ConformanceError):
    """A line of the ledger is not what was written there; says which."""


class ChangedSweep(ConformanceError):
    """The ledger is of another sweep: says what differs, and how."""


class LedgerInUse(ConformanceError):
    """Another sweep writes to the ledger now."""


class Ledger:
    """An open ledger: the shards that are finished, what they come to together, and room for more.

    Raises NotALedger, CorruptLedger, ChangedSweep, LedgerInUse, and OSError.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], shards: Iterable[Shard]) -> None:
        self.path = path
        self.finished: dict[Shard, tuple[Found, ...]] = {}
        self._file = path.open("a+b")
        try:
            self._lock()
            self._file.seek(0)
            whole = self._read(self._file.read(), identity, set(shards))
            self._file.truncate(whole)
            if not whole:
                self._write(MAGIC + _line(dict(identity)))
        except BaseException:
            self._file.close()
            raise

    def add(self, shard: Shard, found: tuple[Found, ...]) -> None:
        """Hold on to a finished shard, at once and on the disk."""
        cut = [shard.negative, shard.first, shard.stop]
        self._write(_line({"shard": cut, "found": [one.plain() for one in found]}))

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        """One writer at a time, where the system knows locks; it goes with the process."""
        with contextlib.suppress(ImportError):
            import fcntl  # noqa: PLC0415 - POSIX alone has it

            try:
                fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LedgerInUse(f"{self.path}: another sweep is writing to it") from None

    def _read(self, content: bytes, identity: Mapping[str, Any], shards: set[Shard]) -> int:
        """Take over what is there; how many bytes of it are whole."""
        if not (content.startswith(MAGIC) or MAGIC.startswith(content)):
            raise NotALedger(f"{self.path}: not the ledger of a sweep; name a file that does not exist to begin one")
        *lines, torn = content.split(b"\n")
        if len(lines) < 2:
            return 0
        before = self._data(2, lines[1])
        changed = list(differences(before, identity))
        if changed:
            raise ChangedSweep(f"{self.path} is of another sweep: {'; '.join(changed)}. Name another file to begin anew")
        for number, line in enumerate(lines[2:], start=3):
            self._take(number, self._data(number, line), shards)
        return len(content) - len(torn)

    def _data(self, number: int, line: bytes) -> dict[str, Any]:
        checksum, _, text = line.partition(b" ")
        if checksum != _checksum(text):
            raise CorruptLedger(f"{self.path}, line {number}: it is not what was written; nothing of it is used")
        data: dict[str, Any] = json.loads(text)
        return data

    def _take(self, number: int, data: Mapping[str, Any], shards: set[Shard]) -> None:
        negative, first, stop = data["shard"]
        shard = Shard(first, stop, negative)
        if shard not in shards or shard in self.finished:
            raise CorruptLedger(f"{self.path}, line {number}: a shard that was not asked for, or a second time")
        self.finished[shard] = tuple(found_from(one) for one in data["found"])


def _line(data: Mapping[str, Any]) -> bytes:
    text = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    return _checksum(text) + b" " + text + b"\n"


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=8).hexdigest().encode()
