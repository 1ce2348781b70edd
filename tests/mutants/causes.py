"""The true cause of every mutant, as the first sentence of its report has to tell it; and of how many it is told.

python -m tests.mutants.causes [NAME ...]     each mutant's stated cause, in the formats of FORMATS merged; kept in STATED

Of a formula it is the key that is given here, in TRUE; of the others the words of told.json. One is told by name where what
is returned, or where that is, is said; by its clause where the clause that is violated is the fault, and no more is known.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.clauses import find
from conformance.clauses.trial import Trial
from conformance.diagnosis import diagnosed
from conformance.inputs.profiles import get_profile
from conformance.records.record import Level, Record, Run, Verdict
from conformance.reports.causes import told
from conformance.running.trying import check
from oracle import get_format

from .power import COST
from .registry import FAMILIES, MUTANTS, mutant

FORMATS = ("bfloat16", "binary64")
"""The coarsest and the finest: what is told of both is told of all."""
CLAUSES_ASKED = 3
"""Of the MUSTs that reject a mutant, the cheapest: the diagnosis asks for itself."""
STATED = Path(__file__).with_name("causes.json")
"""What was stated when all were last asked: by mutant, the key and the first sentence."""
TOLD: dict[str, list[str]] = json.loads(Path(__file__).with_name("told.json").read_text(encoding="utf-8"))
"""By mutant that is no formula, the words that its first sentence has to hold."""
KILLS: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("kills.json").read_text(encoding="utf-8"))

TRUE = {
    # formula
    "log-of-sigmoid": "log of sigmoid",
    "log-of-sigmoid-plus-1e-8": r"log\(sigmoid \+ 1e-8\)",
    "log-of-sigmoid-clamped": "log of clamped sigmoid, 1e-07",
    "log-of-sigmoid-numpy": "log of sigmoid",
    "softplus-of-plus-z": "loss of -z",
    "sign-of-loss": "negated",
    "hinge": "another loss: hinge",
    "exponential": "another loss: exponential",
    "ipo": "another loss: ipo",
    "squared-error": "another loss: squared error",
    "probability-of-loss": "another loss: probability",
    "loss-in-bits": "in bits",
    "zero-at-reference": "less ln 2",
    "probabilities-for-logs": "probabilities for logarithms",
    "log1p-sign": "another loss: max minus log1p",
    "taylor-near-zero": "series near 0",
    "halved": "halved",
    "regression-on-margin": "another loss: regression",
    # options
    "beta-ignored": "beta is always 1",
    "beta-always-0.1": "beta is always 0.1",
    "beta-twice": "beta applied twice",
    "beta-inverse": "1 / beta",
    "beta-outside": "beta outside",
    "beta-on-chosen-only": "beta on the chosen alone",
    "beta-on-policy-only": "beta on the policy alone",
    "beta-negated": "loss of -z",
    "beta-root": "square root of beta",
    "beta-at-most-one": "another beta",
    "beta-zero-is-default": "another beta",
    "beta-two-decimals": "another beta",
    "beta-on-a-grid": "another beta",
    "label-smoothing-on-a-grid": "another label_smoothing",
    "beta-absolute": "another beta",
    "beta-not-negative": "another beta",
    "beta-at-most-1000": "another beta",
    "beta-at-least-1e-5": "another beta",
    "label-smoothing-at-most-half": "another label_smoothing",
    "label-smoothing-mirrored": "another label_smoothing",
    "label-smoothing-below-1e-3-ignored": "another label_smoothing",
    "label-smoothing-below-1e-7-ignored": "another label_smoothing",
    "beta-of-first-call": r"beta is always 0\.1|another beta",
    "label-smoothing-of-first-call": "label_smoothing ignored|another label_smoothing",
    "label-smoothing-ignored": "label_smoothing ignored",
    "label-smoothing-ignored-numpy": "label_smoothing ignored",
    "label-smoothing-always-0.1": "label_smoothing is always 0.1",
    "options-swapped": "options exchanged",
    # reference
    "reference-ignored": "no reference",
    "reference-ignored-numpy": "no reference",
    "reference-rejected-ignored": "no rejected reference",
    "reference-chosen-ignored": "no chosen reference",
    "reference-swapped": "reference crossed",
    "reference-added": "reference crossed",
    "reference-is-policy": "always ln 2",
    "reference-is-detached-policy": "always ln 2",
    "reference-halved": "half of the reference",
    "reference-averaged": "reference averaged",
    "reference-free-when-smoothed": "no reference",
    "reference-from-probability": "NaN where exp of the log-probabilities is 0",
    "reference-of-first-batch": "keeps the reference of an earlier call",
    # pair
    "pair-swapped": "loss of -z",
    "pair-swapped-numpy": "loss of -z",
    "policy-pair-swapped": "policy crossed",
    "chosen-only": "chosen alone",
    "rejected-only": "rejected alone",
    "log-ratios-added": "log-ratios added",
    "absolute-margin": r"\|margin\|",
    "margin-not-negative": "margin not negative",
    "rows-interleaved": "rows interleaved",
    "policy-rows-interleaved": "policy rows halved",
    "rejected-of-next-pair": "rejected of the next pair",
    "log-ratios-sorted": "log-ratios sorted",
    "length-normalised": "length-normalised",
    # smoothing
    "robust-for-conservative": "robust for conservative",
    "label-smoothing-halved": "label_smoothing halved",
    "label-smoothing-not-taken-off": "1 - eps missing",
    "rejected-term-missing": "second term missing",
    "label-smoothing-swapped": "1 - label_smoothing|loss of -z",
    "label-smoothing-sign": "shift negated",
    "label-smoothing-of-margin": "label_smoothing of the margin",
    "label-smoothing-towards-ln2": "label_smoothing towards ln 2",
    "label-smoothing-of-probability": "label_smoothing of the probability",
    "label-smoothing-at-most-0.1": "label_smoothing at most 0.1|another label_smoothing",
    "label-smoothing-below-half": r"(NaN|infinity) at label_smoothing 0\.5",
    "label-smoothing-never-zero": "another label_smoothing",
    "label-smoothing-of-mean-logit": "label_smoothing of the mean logit",
    "label-smoothing-off-at-infinity": r"0 at a logit of \+infinity",
    "label-smoothing-of-lost-pairs": "label_smoothing of lost pairs",
}
"""By mutant, what the key of the first cause has to be."""
VERDICTS = ("by name", "by its clause", "falsely", "not judged")


def formulas() -> list[str]:
    """The mutants that are formulas, and whose true cause is stated here."""
    families = ("formula", "options", "reference", "pair", "smoothing")
    return [each.name for name in families for each in FAMILIES[name] if each.name in TRUE]


def stated(name: str, formats: Sequence[str] = FORMATS) -> tuple[str, str]:
    """(key, sentence) of the first cause that reports state of a mutant, judged by clauses that are known to reject it.

    In the first format in which it is wrong where it is wrong in none of these.
    """
    asked = [each for each in formats if each in KILLS[name]] or list(KILLS[name])[:1]
    first = told(Record({"version": ""}, {}, 0, tuple(_runs(name, asked))))[0]
    return first.cause.key, first.headline.removeprefix(f"{name}: ")


def _runs(name: str, formats: Sequence[str]) -> Iterator[Run]:
    for each in formats:
        fmt = get_format(each)
        trial = Trial(mutant(name).build(), fmt, get_profile("quick"), 0)
        musts = [clause for clause in map(find, KILLS[name][each]) if clause.level is Level.MUST]
        cheapest = sorted(musts, key=lambda clause: COST.get(clause.chapter, 8))[:CLAUSES_ASKED]
        findings = tuple(check(clause, trial) for clause in cheapest)
        yield Run(name, "", each, "quick", Verdict.VIOLATES, findings=findings, diagnosis=diagnosed(trial, findings))


def verdict(name: str, key: str, sentence: str) -> str:
    """How its cause is told, one of VERDICTS; not judged where nothing says what a true sentence has to hold."""
    if name not in TRUE and name not in TOLD:
        return VERDICTS[3]
    true = re.fullmatch(TRUE[name], key) is not None if name in TRUE else all(words in sentence for words in TOLD[name])
    return VERDICTS[2] if not true else VERDICTS[1] if sentence.startswith("it violates") else VERDICTS[0]


def main(names: Sequence[str]) -> None:
    """Print each mutant's stated cause, and the shares of the true ones."""
    found: dict[str, tuple[str, str]] = {}
    for name in names or (each.name for each in MUTANTS):
        found[name] = stated(name)
        print(f"{verdict(name, *found[name])}: {name}: {found[name][0]}: {found[name][1]}", flush=True)
    print("\n".join(shares(found)))
    kept = json.loads(STATED.read_text(encoding="utf-8")) if names else {}
    STATED.write_text(json.dumps(kept | found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def section(found: Mapping[str, Sequence[str]]) -> list[str]:
    """The lines of the page on what kills what; none where nothing was measured."""
    if not found:
        return []
    lines = ["", "## The cause that is told", ""]
    lines += [
        "What the first sentence of a report says of each mutant, as `python -m tests.mutants.causes` asks: of two formats, "
        "and of three clauses that reject it. The cause is told by name where the sentence says what is returned or where, "
        "so that its author knows what to change; by its clause where the clause that is violated is the fault and "
        "no more is known of it; else falsely. What a true sentence has to say is written beside the mutants, in "
        "`tests/mutants/causes.py` and `told.json`.",
        "",
        *(f"- {line}" for line in shares(found)),
        "",
        "| family | mutants | by name | by its clause | falsely | not judged |",
        "|---|---|---|---|---|---|",
    ]
    for family, members in FAMILIES.items():
        counts = Counter(verdict(each.name, *found[each.name]) for each in members if each.name in found)
        lines.append(f"| {family} | {counts.total()} | {' | '.join(str(counts[each]) for each in VERDICTS)} |")
    lines += ["", "| mutant | stated cause | told |", "|---|---|---|"]
    told_as = {name: sentence.replace("|", "&#124;") for name, (_, sentence) in found.items()}
    return [*lines, *(f"| {name} | {told_as[name]} | {verdict(name, *found[name])} |" for name in found)]


def shares(found: Mapping[str, Sequence[str]]) -> list[str]:
    """How many are told how, of the formulas and of all, in words."""
    own = [name for name in found if name in TRUE]
    lines = []
    for what, names in (("formula mutants", own), ("mutants", list(found))):
        counts = Counter(verdict(name, *found[name]) for name in names)
        told_as = ", ".join(f"{counts[each]} {each}" for each in VERDICTS)
        share = 100 * (counts[VERDICTS[0]] + counts[VERDICTS[1]]) / max(counts.total(), 1)
        lines.append(f"{counts.total()} {what}: {told_as}; the stated cause is the true one of {share:.1f} %.")
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
