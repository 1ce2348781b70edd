"""How much a run looks at: quick for every commit, standard for a release, exhaustive for a claim."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Profile:
    """Sizes of the input sets. Every profile runs every clause, and every pattern of the 16-bit formats.

    sweep: the kernel's error is judged at every logit of binary32, too.

    logits_per_binade: logits drawn in each binade of a wide format, of each sign. dense: the same where the kernel bends,
    one from each of so many parts of the binade: what is wrong over two of them is found. around: neighbours taken on each
    side of a threshold. pairs: pairs drawn for each end-to-end regime and each beta. examples: batches that are
    generated for each property.
    """

    name: str
    logits_per_binade: int
    around: int
    pairs: int
    examples: int
    dense: int = 2_048
    sweep: bool = False


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", logits_per_binade=6, around=8, pairs=200, examples=40),
        Profile("standard", logits_per_binade=60, around=64, pairs=1_000, examples=300, dense=32_768),
        Profile("exhaustive", logits_per_binade=2_000, around=512, pairs=20_000, examples=3_000, dense=131_072, sweep=True),
    )
}


def get_profile(name: str) -> Profile:
    """The profile of that name. Raises BadRequest."""
    if name not in PROFILES:
        raise BadRequest(f"no profile {name!r}: one of {', '.join(PROFILES)}")
    return PROFILES[name]
