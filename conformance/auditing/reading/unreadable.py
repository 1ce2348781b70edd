"""What a file that is not read seems to be, and how to make of it what is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

_STARTS: dict[bytes, str] = {
    b":W&B": "the run file of Weights & Biases; files/output.log beside it holds the console, or sync it and write its history "
    "by wandb.Api().run(PATH).history().to_csv(FILE)",
    b":SWL": "the run file of SwanLab; sync it, and export its charts as CSV",
    b"\x89HDF": "HDF5; save tensors as .npz or safetensors, tables as Parquet or CSV",
    b"ARROW1": "Arrow (Feather); write it as Parquet: pyarrow.parquet.write_table(pyarrow.feather.read_table(FILE), OTHER)",
    b"%PDF": "PDF; the numbers behind it are wanted",
    b"\x89PNG": "a picture; the numbers behind it are wanted",
    b"\xff\xd8\xff": "a picture; the numbers behind it are wanted",
    b"\xff\xfe": "a text in UTF-16, as PowerShell writes it; iconv -f UTF-16 -t UTF-8 FILE > OTHER",
    b"\xfe\xff": "a text in UTF-16; iconv -f UTF-16 -t UTF-8 FILE > OTHER",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ": "compressed by xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it first",
}
_HOLDS: dict[str, str] = {
    "data.pkl": "a file of torch.save, which is a pickle and runs code when it is loaded; save tensors as .npz or safetensors",
    "messages.json": "an offline experiment of Comet; unzip -p FILE messages.json > OTHER.jsonl, which is read",
    "xl/workbook.xml": "a workbook; save the sheet as CSV",
}
_SAYS: dict[str, str] = {
    '"LogFloats"': "it seems to be Neptune's offline queue; sync it, and write run[NAME].fetch_values() of each "
    "series to a table",
    "Wall time,Step,Value": "it seems to be one tag as TensorBoard's page downloads it, without its name; the event "
    "file itself is read, with all tags",
    "<html": "it seems to be a web page; export the numbers behind it as CSV or JSON",
}
PICKLE = "a pickle, which runs code when it is loaded; save tensors as .npz or safetensors"


def told_by_start(head: bytes) -> str | None:
    """What a file is that begins so, where that is nothing that is read."""
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return PICKLE
    return next((told for start, told in _STARTS.items() if head.startswith(start)), None)


def told_by_members(path: Path) -> str | None:
    """What a zip archive is that is no .npz."""
    try:
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
    except (zipfile.BadZipFile, OSError):
        return None
    return next((told for end, told in _HOLDS.items() if any(name.endswith(end) for name in names)), None)


def told_by_text(path: Path) -> str | None:
    """What a text is in which no line has a figure that is known."""
    with path.open("rb") as file:
        head = file.read(1 << 14).decode("utf-8", errors="replace")
    return next((told for part, told in _SAYS.items() if part.lower() in head.lower()), None)
