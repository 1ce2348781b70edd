"""What comments and notes must be like: short, of their own, and about the input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from conformance.vectorgen.chapters import NOTES
from conformance.vectorgen.identity import identity
from conformance.vectorgen.model import Chapter
from conformance.vectorgen.notes import BUGS, Note
from conformance.vectorgen.problems import Problem

COMMENT, TEXT, ABOUT = 80, 160, 280
"""The most characters of a comment, of a note's description or effect, and of a chapter's about."""
BANNED = (
    "should",
    "test that",
    "tests that",
    "check that",
    "make sure",
    "correctly",
    "properly",
    "obviously",
    "simply",
    "just",
)
"""Words that say what a reader is to think and not what the input is."""
_LINK = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", re.ASCII)


def lint(chapters: Sequence[Chapter], notes: dict[str, Note] = NOTES) -> list[Problem]:
    """What is wrong with the words: comments, flags, notes, abouts."""
    return [*_comments(chapters), *_flags(chapters, notes), *_notes(notes)]


def _comments(chapters: Sequence[Chapter]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for chapter in chapters:
        file = f"{chapter.name}.json"
        for what in _wrong(chapter.about, ABOUT):
            yield Problem(file, "", "about", what)
        for vector in chapter.vectors:
            name = identity(chapter, vector)
            for what in _wrong(vector.comment, COMMENT):
                yield Problem(file, name, "comment", what)
            if vector.comment in seen:
                yield Problem(file, name, "comment", f"{vector.comment!r} is the comment of {seen[vector.comment]} too")
            seen[vector.comment] = name


def _flags(chapters: Sequence[Chapter], notes: dict[str, Note]) -> Iterator[Problem]:
    used = set()
    for chapter in chapters:
        for vector in chapter.vectors:
            used |= set(vector.flags)
            unknown = sorted(set(vector.flags) - set(notes))
            for flag in unknown:
                yield Problem(f"{chapter.name}.json", identity(chapter, vector), "flags", f"{flag} has no note")
            if len(set(vector.flags)) < len(vector.flags):
                yield Problem(f"{chapter.name}.json", identity(chapter, vector), "flags", "a flag is there twice")
    for flag in sorted(set(notes) - used):
        yield Problem("", "", f"notes.{flag}", "no test carries the flag")


def _notes(notes: dict[str, Note]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for flag, note in notes.items():
        if note.bug not in BUGS:
            yield Problem("", "", f"notes.{flag}.bug", f"{note.bug!r} is none of {', '.join(BUGS)}")
        for field in ("description", "effect"):
            text = getattr(note, field)
            for what in _wrong(text, TEXT):
                yield Problem("", "", f"notes.{flag}.{field}", what)
            if text in seen:
                yield Problem("", "", f"notes.{flag}.{field}", f"the same words as {seen[text]}")
            seen[text] = f"notes.{flag}.{field}"
        for link in note.links:
            if not _LINK.fullmatch(link):
                yield Problem("", "", f"notes.{flag}.links", f"{link} is no GitHub issue or pull request")


def _wrong(text: str, most: int) -> Iterator[str]:
    if text != text.strip() or not text:
        yield "is empty, or begins or ends with a space"
    if len(text) > most:
        yield f"has {len(text)} characters of {most}"
    for word in BANNED:
        if re.search(rf"\b{word}\b", text, re.IGNORECASE):
            yield f"says {word!r}"
