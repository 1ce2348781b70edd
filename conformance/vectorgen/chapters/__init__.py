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

CHAPTERS: tuple[Chapter, ...] = tuple(
    module.CHAPTER
    for module in (
        kernel,
        definition,
        options,
        reference,
        smoothing,
        gradient,
        cancellation,
        extreme,
        special,
        mean,
    )
)
