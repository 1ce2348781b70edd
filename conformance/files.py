"""Files written whole or not at all, and never in the place of what is no file: devices, pipes and links stay what they are."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from pathlib import Path

CACHE = "DPO_CONFORMANCE_CACHE"
"""The environment variable that names the folder of what is kept; else it is $XDG_CACHE_HOME or ~/.cache."""


def cache() -> Path:
    """The folder of what is kept from one command to the next, such as environments; remove it to have all made anew."""
    if CACHE in os.environ:
        return Path(os.environ[CACHE])
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "dpo-conformance"


def read_text(path: Path) -> str:
    """The text in a file of UTF-8, with a byte order mark or without, or of UTF-16 with one, which is what PowerShell writes.

    Raises OSError, and UnicodeDecodeError, a ValueError.
    """
    raw = path.read_bytes()
    return raw.decode("utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write beside the file, and then put that in the file's place: what an interrupted command leaves behind is the old
    file or the new one, with the old one's mode.

    Through a symbolic link the file is written that it names, and the link stays. What is no regular file (a device, a
    pipe, this process's own /dev/stdout) is written to as it is; a block device is refused. A file that cannot be
    replaced where it lies (mounted on its own, in a folder that admits no new file) is written in place.

    Raises OSError, with the old file untouched and nothing left beside it.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    descriptor = _own_descriptor(path)
    if descriptor is not None:
        _append(descriptor, data)
        return
    mode = mode_of(path)
    if mode is None or stat.S_ISREG(mode):
        _replace(Path(os.path.realpath(path)), data, mode)
    elif stat.S_ISBLK(mode):
        raise OSError(errno.EPERM, "a block device: nothing of ours belongs there", str(path))
    else:
        _in_place(path, data)


def mode_of(path: Path) -> int | None:
    """The mode of what the path leads to; None where nothing is there."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def is_replaceable(path: Path) -> bool:
    """True where the path names a file, or nothing yet: what may be written anew as often as wanted."""
    mode = mode_of(path)
    return _own_descriptor(path) is None and (mode is None or stat.S_ISREG(mode))


def _own_descriptor(path: Path) -> int | None:
    """The open file of this process that the path stands for, as /dev/stdout and /dev/fd/3 do on Linux; None for any other."""
    for _ in range(40):  # as many links as Linux follows
        place = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - the last link is not followed
        found = re.fullmatch(rf"/proc/(?:self|{os.getpid()})/fd/(\d+)", place)
        if found:
            return int(found.group(1))
        if not Path(place).is_symlink():
            return None
        path = Path(place).parent / Path(place).readlink()
    return None


def _append(descriptor: int, data: bytes) -> None:
    """Where the descriptor stands, after what Python holds back for it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with os.fdopen(os.dup(descriptor), "wb") as out:
        out.write(data)


def _replace(path: Path, data: bytes, mode: int | None) -> None:
    if mode is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    partial = path.with_name(f".dpo-conformance.{secrets.token_hex(6)}.part")
    try:
        with open(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as out:  # noqa: PTH123
            out.write(data)
            if mode is not None:
                _as_before(out.fileno(), path)
        partial.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        in_the_way = isinstance(error, OSError) and error.errno in {errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS}
        if mode is None or not in_the_way:
            raise
        _in_place(path, data)


def _as_before(descriptor: int, path: Path) -> None:
    """The mode of the file that is replaced, and its owner where that may be given."""
    before = path.stat()
    with contextlib.suppress(OSError):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _in_place(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as out:
        view = memoryview(data)
        while view:
            view = view[out.write(view) :]
