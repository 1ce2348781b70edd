"""What is known of conduct that several libraries share: notes that their wrappers carry, by clause."""

from __future__ import annotations

ALWAYS_MIXES = {
    "SPECIAL-2": "the two terms are mixed at label_smoothing = 0 too, where the second is 0 times infinity",
}
"""The loss is (1 - eps) softplus(-z) + eps softplus(z) whatever eps is."""

_ON_SMOOTHING = (
    *(f"AUTOGRAD-{number}" for number in (*range(1, 10), 11, 12)),
    *("CALL-6", "CALL-8", "CALL-9", "CALL-11", "DEF-1", "DEF-2"),
    *("GRAD-3", "GRAD-5", "GRAD-6", "GRAD-7", "LAYOUT-1", "LAYOUT-2", "LAYOUT-4"),
    *("OPTION-2", "OPTION-5", "OPTION-6", "OPTION-7", "PROPERTY-1", "PROPERTY-2"),
    *("REDUCE-1", "REDUCE-4", "REDUCE-5", "REDUCE-8", "REDUCE-10"),
    *("SMOOTH-1", "SMOOTH-2", "SMOOTH-3", "SPECIAL-5", "SPECIAL-9", "TIE-2"),
)


def smoothing_ignored(text: str) -> dict[str, str]:
    """The same note at every clause that an ignored label_smoothing violates."""
    return dict.fromkeys(_ON_SMOOTHING, text)


LISTED = "sigmoid,ipo"
"""A list of the two losses at the weights 1 and 0, of which what is left is the first; of responses of 3 and 5 tokens."""
