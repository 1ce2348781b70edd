"""Saved tensors: .npz and safetensors, by our names, with the format that each is stored in. Nothing is unpickled."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from conformance.auditing.reading.entry import NotALog
from oracle import Format, bfloat16, binary16, binary32, binary64

LARGEST = 1 << 33
"""Bytes of one file's arrays, unpacked."""
EXPANDS = 200
"""So many times its packed size an array may be: log-probabilities do not pack so well."""
FORMATS: Mapping[str, Format] = {"float16": binary16, "bfloat16": bfloat16, "float32": binary32, "float64": binary64}
_STORED = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64}
_WHOLE = {"I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "BOOL": np.bool_}

_KNOWN: Mapping[str, tuple[str, ...]] = {
    "policy_chosen_logps": ("policychosenlogps", "chosenlogps", "policychosenlogp", "logpschosen", "pc"),
    "policy_rejected_logps": ("policyrejectedlogps", "rejectedlogps", "policyrejectedlogp", "logpsrejected", "pr"),
    "ref_chosen_logps": ("refchosenlogps", "referencechosenlogps", "refchosenlogp", "referencechosenlogp", "rc"),
    "ref_rejected_logps": ("refrejectedlogps", "referencerejectedlogps", "refrejectedlogp", "referencerejectedlogp", "rr"),
    "losses": ("losses", "perpairlosses", "dpolosses"),
    "loss": ("loss", "meanloss"),
    "chosen_rewards": ("chosenrewards", "rewardschosen", "chosenreward"),
    "rejected_rewards": ("rejectedrewards", "rewardsrejected", "rejectedreward"),
    "chosen_lengths": ("chosenlengths", "chosenlength", "chosentokens", "lengthschosen"),
    "rejected_lengths": ("rejectedlengths", "rejectedlength", "rejectedtokens", "lengthsrejected"),
    "logits": ("logits",),
    "labels": ("labels", "targets", "inputids"),
    "mask": ("mask", "lossmask", "completionmask"),
    "logps": ("logps", "sequencelogps", "alllogps"),
}
NAMES = {alias: name for name, aliases in _KNOWN.items() for alias in aliases}
"""What people call the arrays, without case, underscores, slashes and dots; and what they are called here."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """One array: its numbers exactly, as float64 or integers, and the format in which they are stored."""

    name: str
    values: NDArray[Any]
    fmt: Format | None


def arrays(path: Path, form: str) -> dict[str, Stored]:
    """The arrays of a file that are known, by our names. Raises NotALog, naming the array, and OSError."""
    loaded = _npz(path) if form == "npz" else _safetensors(path)
    found: dict[str, Stored] = {}
    for name, values in loaded.items():
        known = NAMES.get(re.sub(r"[^a-z]", "", name.rpartition("/")[2].lower()))
        if known is None:
            continue
        if known in found:
            raise NotALog(f"{path}: {found[known].name!r} and {name!r} are both the {known}")
        found[known] = _stored(path, name, values)
    if not found:
        raise NotALog(f"{path}: no array of a known name (policy_chosen_logps, ..., losses; or logits, labels, mask)")
    return found


def _stored(path: Path, name: str, values: NDArray[Any]) -> Stored:
    if values.dtype.kind == "V" and values.dtype.itemsize == 2:  # how NumPy keeps a bfloat16 that it does not know
        values = values.view(ml_dtypes.bfloat16)
    fmt = FORMATS.get(values.dtype.name)
    if fmt is not None:
        return Stored(name, values.astype(np.float64), fmt)
    if values.dtype.kind in "iub":
        return Stored(name, values, None)
    raise NotALog(f"{path}: {name!r} is of {values.dtype}, not of float16, bfloat16, float32, float64 or whole numbers")


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as packed:
            for member in packed.infolist():
                if member.file_size > max(EXPANDS * member.compress_size, 1 << 20) or member.file_size > LARGEST:
                    raise NotALog(f"{path}: {member.filename!r} unpacks to {member.file_size:,} bytes; refused")
        with np.load(path, allow_pickle=False) as file:
            if not hasattr(file, "files"):
                raise NotALog(f"{path}: a single array without a name; save them by name with numpy.savez")
            return {name: file[name] for name in file.files}
    except MemoryError:
        raise NotALog(f"{path}: an array is said to be larger than the memory") from None
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        reason = "it holds objects, which only a pickle could load" if "pickle" in str(error) else str(error)[:200]
        raise NotALog(f"{path}: not read as .npz: {reason}") from None


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        import safetensors  # noqa: PLC0415 - an extra, for this form alone
    except ModuleNotFoundError as error:
        raise NotALog(f"{path}: safetensors are read by safetensors: pip install 'dpo-conformance[audit]'") from error
    if path.stat().st_size > LARGEST:
        raise NotALog(f"{path}: {path.stat().st_size:,} bytes; save the pairs that are to be checked alone")
    try:
        parts = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except Exception as error:  # its own error class has no base but Exception
        raise NotALog(f"{path}: not read as safetensors: {str(error)[:200]}") from None
    found = {}
    for name, part in parts:
        stored = _STORED.get(part["dtype"]) or _WHOLE.get(part["dtype"])
        if stored is not None:
            found[name] = np.frombuffer(part["data"], dtype=stored).reshape(part["shape"])
    return found
