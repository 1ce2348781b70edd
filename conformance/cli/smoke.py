"""`dpo-conformance run --smoke`: does it answer at all, and what?"""

from __future__ import annotations

from collections.abc import Sequence


def show_first_answers(implementations: Sequence[str], dtypes: Sequence[str], time_limit: float) -> int:
    """Placeholder."""
    return 0
