"""Under which condition numbers are wrong: one property of their calls that parts them from the right ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from oracle.bounds import Mask
from oracle.formats import Floats


@dataclass(frozen=True, eq=False)
class Column:
    """A property: its name with a verb, and its value for each number. option: told by its value, where that is one."""

    says: str
    values: Floats
    option: bool = False


def condition(columns: Iterable[Column], wrong: Mask, contrary: Mask) -> str:
    """The first property by which every wrong number is told from every contrary one, in words; empty where none does."""
    if not contrary.any():
        return ""
    for column in columns:
        inside, outside = column.values[wrong], column.values[contrary]
        if column.option and np.ptp(inside) == 0 and not (outside == inside[0]).any():
            return f"where {column.says} {inside[0]:g}"
        if inside.min() > outside.max():
            return f"where {column.says} above {outside.max():.4g}"
        if inside.max() < outside.min():
            return f"where {column.says} below {outside.min():.4g}"
    return ""
