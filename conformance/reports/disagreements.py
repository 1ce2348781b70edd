"""Where libraries disagree on a loss of one name: what differs, who computes what, and what shows it, from the surveys kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAIN = "LOSSES"
Survey = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """What differs, under which claimed losses, in which collections of the wrappers; clause: what tells them apart where not
    the variant does but how it is computed.
    """

    title: str
    losses: tuple[str, ...]
    settings: tuple[str, ...] = (MAIN,)
    clause: str = ""


DISAGREEMENTS = (
    Disagreement("Label smoothing of the sigmoid loss: mixed in, or accepted and ignored", ("cdpo",)),
    Disagreement("ORPO's odds: of average or of summed log-probabilities", ("orpo_odds", "orpo")),
    Disagreement(
        "ORPO's likelihood term: the mean of each response, of the batch's tokens, or of those and the prompt's", ("orpo",)
    ),
    Disagreement("IPO: of averages or of sums", ("ipo_average", "ipo_sum")),
    Disagreement("The sigmoid loss in a list with IPO: of sums, or divided by the lengths too", ("sigmoid",), ("IN_A_LIST",)),
    Disagreement("BCO: no delta, the batch's mean, or that with its gradient", ("bco_batch",)),
    Disagreement("f-DPO's alpha: the paper's, or 1 minus it", ("f_dpo_alpha",)),
    Disagreement("f-DPO's forward divergence: computed, or silently the reverse one", ("f_dpo_forward_kl",)),
    Disagreement(
        "LD-DPO where policy and reference agree beyond the shorter response, which is then the sigmoid loss: both are "
        "weighted, or the policy alone",
        ("sigmoid",),
        ("DESENSITISED",),
    ),
    Disagreement(
        "WPO where no weight is below 1, which is then the sigmoid loss: weights are cut at 1, or not",
        ("sigmoid",),
        ("WEIGHTED",),
    ),
    Disagreement("DPO with a likelihood term: per response, of the batch's tokens, or a sum", ("rpo",)),
    Disagreement(
        "KTO: the reference point cut at 0 after it is averaged over ranks, or before; what a DPO trainer calls so",
        ("kto", "kto_desirable", "kto_undesirable"),
        (MAIN, "ON_RANKS", "OF_DPO"),
    ),
    Disagreement("A NaN is kept, or dropped by the mean", ("kto", "orpo", "orpo_odds"), clause="PREF-7"),
    Disagreement("DiscoPOP's temperature: handed over, or 1", ("discopop",)),
    Disagreement("DPO-positive's penalty: inside the sigmoid, times beta, or added to the loss", ("dpop",)),
    Disagreement("SimPO's gamma: taken from the logit, or multiplied by beta", ("simpo",)),
    Disagreement("AOT's two forms, and what each is called", ("aot", "aot_unpaired")),
    Disagreement(
        "EXO at a label smoothing of 0: refused or not finite, or another one in its place", ("exo_pair",), clause="PREF-15"
    ),
    Disagreement("ORPO at a certain response: its derivative, or NaN", ("orpo_odds", "orpo"), clause="PREF-14"),
    Disagreement("AlphaPO far out: finite, or 0 / 0 of an underflow", ("alphapo",), clause="PREF-5"),
)
"""Those of a loss beside each other."""


def table(surveys: Sequence[Survey]) -> Iterator[str]:
    """The rows, of those that a survey has something to say of."""
    yield "| what differs | who computes what | shown by |"
    yield "|---|---|---|"
    for one in DISAGREEMENTS:
        told = _by_clause(one, surveys) if one.clause else _by_variant(one, surveys)
        shown = f"[{one.clause}](clauses/{one.clause}.md)" if one.clause else "`identify`"
        if told:
            yield f"| {one.title} | {told} | {shown} |"


def _found(one: Disagreement, surveys: Sequence[Survey]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(library and its own name for it, what the survey found)."""
    for survey in surveys:
        for found in survey["losses"]:
            if found["loss"] in one.losses and found["setting"] in one.settings:
                yield f"{survey['library']} `{found['called']}`", found


def _by_variant(one: Disagreement, surveys: Sequence[Survey]) -> str:
    return _grouped((computes(found), who) for who, found in _found(one, surveys))


def _by_clause(one: Disagreement, surveys: Sequence[Survey]) -> str:
    wrong = "**violate it**"
    sides = (
        (wrong if one.clause in (*found["violated"], *found["recommended"]) else "do not", who)
        for who, found in _found(one, surveys)
    )
    return _grouped(sides)


def _grouped(sides: Iterable[tuple[str, str]]) -> str:
    groups: dict[str, list[str]] = {}
    for side, who in sides:
        groups.setdefault(side, []).append(who)
    return "; ".join(
        f"{side}: {', '.join(who)}" for side, who in sorted(groups.items(), key=lambda x: (x[0].startswith("**"), x[0]))
    )


def computes(found: Mapping[str, Any]) -> str:
    """What one computes, in bold where it is not what it is claimed to be."""
    if found["loss"] in found["computes"]:
        return f"`{found['loss']}`"
    if found["computes"]:
        return "**" + ", ".join(f"`{name}`" for name in found["computes"]) + "**"
    return f"**none of these**{f'; nearest `{near}`' if (near := found['nearest']) else ''}"
