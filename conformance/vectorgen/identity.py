"""A vector's id follows from its inputs, so that it can neither change nor be used again for anything else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from conformance.inputs.batch import Batch
from conformance.vectorgen.model import Chapter, Vector
from conformance.vectorgen.problems import Problem

_NAN_TOO = "the loss is infinite under label smoothing, where right code (torch.lerp) gives NaN, as SPECIAL-9 admits"
RETIRED: dict[str, str] = {
    "special-e4ae7e32": _NAN_TOO,
    "special-ba44d104": _NAN_TOO,
    "special-2a03fd13": _NAN_TOO,
    "special-589c0700": _NAN_TOO,
}
"""Ids that were published and are no longer in the files, each with the reason. An id is never taken out of here."""
IDS = "ids.txt"
"""The file that lists every id ever published, one a line."""


def identity(chapter: Chapter, vector: Vector) -> str:
    """The chapter, and the first eight hexadecimal digits of the SHA-256 of the inputs as they stand in the file.

    What is hashed: kind, beta, label_smoothing and the four log-probabilities in the order of the signature, each as a
    hexadecimal float, those of a batch joined by commas; one a line.
    """
    batch = vector.batch
    lines = [chapter.kind, hexadecimal(batch.beta), hexadecimal(batch.label_smoothing)]
    lines += [",".join(hexadecimal(float(x)) for x in values) for values in batch.logps]
    digest = hashlib.sha256("\n".join(lines).encode())
    return f"{chapter.name}-{digest.hexdigest()[:8]}"


def hexadecimal(x: float) -> str:
    """C's %a: 0x1.8p+1; inf, -inf, nan."""
    return re.sub(r"\.?0*p", "p", x.hex(), count=1) if "." in x.hex() else x.hex()


def as_batch(kind: str, beta: str, eps: str, logps: Iterable[Iterable[str]]) -> Batch:
    """The batch that hexadecimal floats describe. Raises ValueError."""
    columns = [[float.fromhex(text) for text in column] for column in logps]
    return Batch.of(*columns, beta=float.fromhex(beta), label_smoothing=float.fromhex(eps))


def retired(chapters: Iterable[Chapter]) -> set[str]:
    """The ids that were once in the files of these chapters."""
    names = {chapter.name for chapter in chapters}
    return {name for name in RETIRED if name.rpartition("-")[0] in names}


def unpublished(present: Iterable[str], published: Iterable[str], gone: Iterable[str]) -> list[Problem]:
    """What is wrong with the ids: one that vanished without being retired, one that came back, one not yet listed."""
    now, ever, out = set(present), set(published), set(gone)
    wrong = {
        "is not listed: run `dpo-conformance vectors write`": now - ever,
        "was published and is gone: put it into RETIRED, with the reason": ever - now - out,
        "is retired and cannot come back": out & now,
        "is retired and was never published": out - ever,
    }
    return [Problem(IDS, name, "", what) for what, names in wrong.items() for name in sorted(names)]
