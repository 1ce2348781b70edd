"""Digests of a record, so that one that was edited is refused, with the place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

TIMES = ("created", "seconds")
"""The fields that tell when and how long; two records that differ in nothing else have the same digests."""


def digests(data: Mapping[str, Any]) -> dict[str, Any]:
    """The SHA-256 of each run, and of the whole record, given in JSON's own types and without the time fields.

    They guard against a slip, a merge gone wrong, a truncated line. They are no signature: whoever edits a record on
    purpose can work them out again.
    """
    runs = [_digest(run) for run in data["runs"]]
    head = {key: value for key, value in data.items() if key not in {"runs", "digests"}}
    return {"record": _digest({**head, "runs": runs}), "runs": runs}


def edited(data: Mapping[str, Any]) -> str | None:
    """The first place whose digest is not what the record says of it; None where it is as it was written."""
    stated, found = data["digests"], digests(data)
    if len(stated["runs"]) != len(found["runs"]):
        return f"runs: {len(found['runs'])} where {len(stated['runs'])} were written"
    for place, (run, was, now) in enumerate(zip(data["runs"], stated["runs"], found["runs"], strict=True)):
        if was != now:
            return f"runs/{place} ({run['implementation']} in {run['format']})"
    if stated["record"] != found["record"]:
        return "the suite, the environment, the seed or the order of the runs"
    return None


def _digest(part: Mapping[str, Any]) -> str:
    """Of the canonical JSON: keys sorted, no spaces, ASCII."""
    timeless = {key: value for key, value in part.items() if key not in TIMES}
    text = json.dumps(timeless, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
