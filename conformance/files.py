"""Files written whole or not at all: what an interrupted command leaves behind is the old file or the new one."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write the text beside the file and then put it in the file's place. Raises OSError, with the old file untouched."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
