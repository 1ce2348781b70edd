"""The chapters, in the order of the documentation: one file each here, one file of data each in conformance/vectors."""

from __future__ import annotations

from conformance.vectorgen.chapters import (
    cancellation,
    definition,
    extreme,
    gradient,
    kernel,
    mean,
    options,
    reference,
    smoothing,
    special,
)
from conformance.vectorgen.model import Chapter
from conformance.vectorgen.notes import Note

_MODULES = (kernel, definition, options, reference, smoothing, gradient, cancellation, extreme, special, mean)

CHAPTERS: tuple[Chapter, ...] = tuple(module.CHAPTER for module in _MODULES)
NOTES: dict[str, Note] = {flag: note for module in _MODULES for flag, note in module.NOTES.items()}
"""The flags by name, each with its note, in the order of the chapters they are at home in; a test may carry any."""
if len(NOTES) != sum(len(module.NOTES) for module in _MODULES):
    raise ValueError("two chapters have a flag of the same name")
