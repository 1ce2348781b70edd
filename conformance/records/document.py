"""A file of JSON that the suite wrote, read back: what is wrong with one that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conformance.errors import ConformanceError
from conformance.files import read_text

WORD = 5
"""Characters of JSON's longest word: one that is cut off begins so near to the end."""


class BadRecord(ConformanceError):
    """A record is not valid JSON, or not valid under its schema, or of another schema, or was edited; says where."""


def read_json(path: Path, what: str, key: str, command: str) -> dict[str, Any]:
    """The data of such a file. Raises OSError, and BadRecord where it is empty, cut off, no JSON, or another file.

    what: what it is in words. key: what only such a file has. command: what writes it.
    """
    text = ""
    try:
        text = read_text(path).rstrip()
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRecord(f"{path}: {_wrong(error, text)}") from None
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{path}: not JSON: {error}") from None
    if not isinstance(data, dict) or key not in data:
        raise BadRecord(f"{path}: no {what}, which {command} writes")
    return data


def _wrong(error: json.JSONDecodeError, text: str) -> str:
    if not text:
        return "it is empty"
    near = error.pos > 0 and len(text) - error.pos <= WORD and error.msg != "Extra data"
    if near or error.msg.startswith("Unterminated string"):
        return f"it ends in the middle, at line {text.count(chr(10)) + 1:,}: what wrote or copied it was cut off"
    return f"not JSON: {error}"
