"""What every form of a report says of a finding, in plain text: the forms differ in their markup alone."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from conformance.errors import BadRequest
from conformance.records.diagnosis import Kind
from conformance.records.folded import Folded, folded
from conformance.records.record import Finding, Record, Run, Verdict, Worst
from conformance.reports.metric_code import exact_metric

SHOWN_PAIRS = 8
LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")


class Told(NamedTuple):
    """What the suite says of a clause."""

    title: str
    statement: str
    remedy: str


def clause(identity: str) -> Told:
    """The title, statement and remedy of a clause; a record may name one that this suite does not have."""
    from conformance.clauses import find  # noqa: PLC0415 - every check, which only a report of a violation needs

    try:
        found = find(identity)
    except BadRequest:
        return Told("", "This suite has no such clause.", "")
    return Told(found.title, found.statement, found.remedy)


def headline(run: Run, finding: Finding) -> str:
    """Which clause is violated by what, and at how many numbers."""
    title = clause(finding.clause).title
    titled = f"{title}: " if title else ""
    who = f"{visible(run.implementation)} in {run.format}"
    return f"{finding.clause} {finding.level} {titled}{who} violates it at {finding.share}"


def violation(run: Run, finding: Finding, width: int = 100) -> str:
    """A violated MUST in full: statement, note, worst input, code to see it again, and what usually mends it."""
    told = clause(finding.clause)
    lines = [headline(run, finding), *_folded(told.statement, width)]
    if finding.note:
        lines.append(f"  {visible(finding.note)}")
    if finding.worst is not None:
        lines += [f"  {line}" for line in details(finding.worst, run)]
        lines += ["  to see it again:", *(f"    {line}" for line in snippet(run, finding.worst, finding.clause))]
    mends = remedy(run, finding)
    if mends:
        lines += ["  what usually mends it:", *_folded(mends, width, 4)]
    lines.append(f"  more: dpo-conformance explain {finding.clause}")
    return "\n".join(lines)


def remedy(run: Run, finding: Finding) -> str:
    """What usually mends a violation: the cure of the diagnosis where there is one that tells the cause; empty for none."""
    if finding.verdict is not Verdict.VIOLATES:
        return ""
    own = clause(finding.clause).remedy
    cause = run.diagnosis.causes[0] if run.diagnosis is not None else None
    if cause is not None and cause.cure and cause.kind not in {Kind.CLAUSE, Kind.KERNEL}:
        return cause.cure
    kernels = _kernels(run)
    return f"{kernels[0]} is violated too: mend that first. {own}".rstrip() if consequent(run, finding) else own


def consequent(run: Run, finding: Finding) -> bool:
    """True where the kernel is violated in the same run and this violation most likely follows: where the diagnosis blames
    the kernel, or there is none.
    """
    if finding.clause.startswith("KERNEL-") or not _kernels(run):
        return False
    return run.diagnosis is None or run.diagnosis.causes[0].kind is Kind.KERNEL


def _kernels(run: Run) -> list[str]:
    return [found.clause for found in run.violated if found.clause.startswith("KERNEL-")]


def violated(record: Record) -> list[str]:
    """For each implementation that violates a MUST, a line: how many clauses, the first of them, in which formats."""
    lines = []
    for name, source in dict.fromkeys((run.implementation, run.source) for run in record.runs if run.violated):
        runs = [run for run in record.runs if (run.implementation, run.source) == (name, source) and run.violated]
        clauses = list(dict.fromkeys(finding.clause for run in runs for finding in run.violated))
        told = ", ".join(clauses[:6]) + (f" and {len(clauses) - 6:,} more" if len(clauses) > 6 else "")
        which = visible(f"{name} ({source})" if name in record.shared_names and source else name)
        musts = "1 MUST" if len(clauses) == 1 else f"{len(clauses):,} MUSTs"
        lines.append(f"{which} violates {musts} in {', '.join(run.format for run in runs)}: {told}.")
    return lines


def briefly(finding: Finding) -> str:
    """A violation in one line: the conduct, or the worst input with what was got and what is exact."""
    note = finding.note
    if finding.worst is None:
        return visible(note)
    worst = finding.worst
    got = f"{decimal(worst.got)} ({worst.got})"
    told = f"{inputs(worst)}: {worst.quantity} {got}, exact {worst.exact}, {figure(worst.ulp)} ulp"
    return visible(f"{note}; {told}" if note else told)


def details(worst: Worst, run: Run | None = None) -> list[str]:
    """What was put in, what came out, what is exact, and how far apart they are; of which run, where one is told."""
    given = {name: worst.inputs[name] for name in (*LOGPS, *worst.inputs) if name in worst.inputs}
    given |= {name: (value,) for name, value in worst.options.items()}
    lines = []
    for name, values in given.items():
        shown = values if len(values) <= SHOWN_PAIRS else (*values[:SHOWN_PAIRS], f"... {len(values)} in all")
        lines += [f"{name if i == 0 else '':<22}{decimal(value):<26}{value}" for i, value in enumerate(shown)]
    lines.append(worst.quantity)
    if run is not None and _absent(run, worst):
        lines += ["  got     none: it returned no gradient there", f"  exact   {worst.exact:<32}rounds to {worst.rounded}"]
        return [visible(line) for line in lines]
    lines.append(f"  got     {decimal(worst.got):<32}{worst.got}")
    lines.append(f"  exact   {worst.exact:<32}rounds to {worst.rounded}")
    lines.append(f"  error   {figure(worst.ulp)} ulp; {figure(worst.rho)} times what the bound allows")
    return [visible(line) for line in lines]


def _absent(run: Run, worst: Worst) -> bool:
    """True where a derivative was asked for and none was returned, which is no NaN."""
    missing = run.diagnosis.absent if run.diagnosis is not None else ()
    return worst.got == "nan" and any(f"/ d {name}" in worst.quantity for name in missing)


def snippet(run: Run, worst: Worst, clause: str = "") -> list[str]:
    """Python that prints the judged quantity at a clause's worst input again, got and exact, when it is pasted."""
    if worst.parameters:
        return named_loss(run, worst)
    few = folded(worst.inputs)
    logps = ", ".join(code_list(few.inputs[key]) for key in LOGPS)
    options = f"beta={code_number(worst.beta)}, label_smoothing={code_number(worst.label_smoothing)}"
    named = f"implementation = {run.source!r}" if run.source else "# implementation = the object that was judged"
    pairs = f"pairs, options = [{logps}], dict({options})"
    prefix, got, exact = _expressions(run, worst)
    return [
        "import oracle",
        "from conformance import evaluate",
        named,
        pairs,
        *_unfolded(few),
        *_copies(run, clause),
        *prefix,
        f'print("got  ", {got})',
        f'print("exact", {exact})',
    ]


def _unfolded(few: Folded) -> list[str]:
    """A line that makes the batch of what is given once."""
    given = len(few.inputs[LOGPS[0]])
    if few.times:
        return [f"pairs = [[x for x, n in zip(row, {list(few.times)}) for _ in range(n)] for row in pairs]"]
    if few.pairs and given == 1:
        return [f"pairs = [[x] * {few.pairs} for x in pairs]"]
    return [f"pairs = [(row * {-(-few.pairs // given)})[:{few.pairs}] for row in pairs]"] if few.pairs else []


def named_loss(run: Run, worst: Worst) -> list[str]:
    """The same of a loss that is named: what it takes is given by keyword."""
    return of_named(run, worst.inputs, worst.options, worst.quantity)


def of_named(run: Run, rows: Mapping[str, Sequence[str]], options: Mapping[str, str], quantity: str) -> list[str]:
    """Python that asks an implementation of a named loss for those pairs, and prints the exact quantity beside it."""
    given = ", ".join(f"{name}=[{', '.join(map(code_number, values))}]" for name, values in rows.items())
    told = ", ".join(f"{name}={code_number(value)}" for name, value in options.items() if value != "nan")
    loss, prefix = str(run.claims.get("loss", "")), "mean " if quantity.startswith("mean ") else ""
    name = quantity.rpartition(" / d ")[2]
    by = "mean_gradient" if quantity.startswith("d mean ") else "gradient"
    exact = f"oracle.losses.{by}({loss!r}, **pairs, **options)[{name!r}]" if " / d " in quantity else ""
    exact = exact or f"oracle.losses.{'mean' if prefix else 'value'}({loss!r}, **pairs, **options)"
    return [
        "import oracle.losses",
        "from conformance import evaluate_loss",
        f"implementation = {run.source!r}" if run.source else "# implementation = the object that was judged",
        f"pairs, options = dict({given}), dict({told})",
        f'print("got  ", evaluate_loss(implementation, "{run.format}", **pairs, **options))',
        f'print("exact", {exact})',
    ]


def _copies(run: Run, clause: str) -> list[str]:
    """Lines that repeat the pair as often as it takes to show, where one alone is right."""
    copies = run.diagnosis.copies.get(clause) if run.diagnosis is not None else None
    if copies is None:
        return []
    if not copies:
        return ["# alone it is right, and in up to 65 copies: it was wrong among other pairs"]
    return [f"pairs = [[x] * {copies} for x in pairs]  # one alone is right: the length matters"]


def _expressions(run: Run, worst: Worst) -> tuple[list[str], str, str]:
    """Lines to go before, and the two expressions of a quantity."""
    call = f'evaluate(implementation, "{run.format}", *pairs, **options)'
    loss, quantity = "oracle.loss(*pairs, **options)", worst.quantity
    base, _, asked = quantity.partition(", ")
    if quantity.startswith("d2 loss / d "):
        return _twice(run, base, asked)
    if asked and not asked.startswith("the reference without"):
        return _by_way(run, base, asked, len(worst.inputs[LOGPS[0]]))
    if quantity.startswith("metric "):
        name = quantity.removeprefix("metric ")
        prefix = ["from conformance.implementations import load", "from conformance.inputs.batch import Batch"]
        prefix.append("from oracle import get_format")
        if run.source:
            prefix.append("implementation = load(implementation)")
        call = f'implementation.metrics(Batch.of(*pairs, **options), get_format("{run.format}"))'
        return prefix, f'{call}["{name}"]', exact_metric(name)
    if quantity == "mean loss":
        return [], call, f"oracle.mean({loss})"
    if quantity == "loss(z) - loss(-z)":
        prefix = ["exchanged = [pairs[1], pairs[0], pairs[3], pairs[2]]"]
        other = call.replace("*pairs", "*exchanged")
        return prefix, f"{call}.losses - {other}.losses", '-oracle.logit(*pairs, beta=options["beta"])'
    gradient = "oracle.gradient(*pairs, **options)"
    if quantity.startswith("d mean loss / d "):
        place, n = LOGPS.index(quantity.removeprefix("d mean loss / d ")), len(worst.inputs[LOGPS[0]])
        first = "" if n == 1 else f"[0] / {n}"
        return [], f"{call}.gradient[{place}][0]", f"{gradient}.by_logps[{place}]{first}"
    if quantity.startswith("d weighted loss / d "):
        return _weighed(run, LOGPS.index(quantity.removeprefix("d weighted loss / d ")))
    if quantity.endswith(", the reference without derivatives"):
        call = call.replace("**options", "**options, policy_alone=True")
    return [], call, f"{loss}, {gradient}"


def _weighed(run: Run, place: int) -> tuple[list[str], str, str]:
    """A derivative by each of the weights: of one pair after the other where a mean is returned, else of a batch of copies."""
    from conformance.clauses.quantities import WEIGHTS  # noqa: PLC0415 - as in clause()

    prefix, call = [f"weights = {list(WEIGHTS)}"], f'evaluate(implementation, "{run.format}", *pairs, **options, weights='
    exact = f"oracle.gradient(*pairs, **options).by_logps[{place}]"
    if run.claims.get("reduction") == "mean":
        return prefix, f"[{call}[w]).gradient[{place}][0] / w for w in weights]", exact
    prefix.append("pairs = [[x] * len(weights) for x in pairs]")
    return prefix, f"{call}weights).gradient[{place}] / weights", f"{exact}[0]"


def _twice(run: Run, quantity: str, how: str) -> tuple[list[str], str, str]:
    """A second derivative by the weights: of one pair after the other where a mean is returned, else of a batch of copies."""
    from conformance.clauses.quantities import SIGNS, WEIGHTS  # noqa: PLC0415 - as in clause()

    first, _, name = quantity.removeprefix("d2 loss / d ").partition(" d ")
    place, sign = LOGPS.index(name), SIGNS[LOGPS.index(first)] * SIGNS[LOGPS.index(name)]
    prefix = ["from fractions import Fraction", f"weights = {list(WEIGHTS)}"]
    call = f'evaluate(implementation, "{run.format}", *pairs, **options, twice=({how!r}, {first!r}), weights='
    factor = f'{"-" * (sign < 0)}Fraction(options["beta"]) ** 2'
    exact = f'oracle.second_derivative(*pairs, beta=options["beta"]) * ({factor})'
    if run.claims.get("reduction") == "mean":
        return prefix, f"[{call}[w]).gradient[{place}][0] / w for w in weights]", exact
    prefix.append("pairs = [[x] * len(weights) for x in pairs]")
    return prefix, f"{call}weights).gradient[{place}] / weights", exact.replace(" * (", "[0] * (")


_WHOLE = ("constant inputs expanded", "alike inputs in the same memory", "alike inputs as one tensor")
"""Ways that ask whole arrays to be constant, or alike: no other pair may stand between the copies."""


def _by_way(run: Run, quantity: str, asked: str, n: int) -> tuple[list[str], str, str]:
    """A loss, or a derivative by the weights, asked for in a way: of one pair after the other where a mean is returned, else
    of a batch in which every other pair is another.
    """
    from conformance.clauses.called import weights_of  # noqa: PLC0415 - as in clause()

    asked, opposed, _ = asked.partition(", twice with opposite signs")
    way, unweighed, _ = asked.partition(", its weight 0")
    weights = [0.0] if unweighed else weights_of(way, run.format)
    if quantity in {"loss", "mean loss"}:
        exact, part, over = "oracle.loss(*pairs, **options)", "losses", ""
        exact = f"oracle.mean({exact})" if quantity == "mean loss" else exact
    else:
        place = LOGPS.index(quantity.rpartition(" ")[2])
        exact, part = f"oracle.gradient(*pairs, **options).by_logps[{place}]", f"gradient[{place}]"
        over, exact = ("", "oracle.Real.rational(0)") if unweighed else (" / weights", f"{exact}[0] / {n}" if n > 1 else exact)
    exact = "oracle.Real.rational(0)" if opposed else exact
    if way == "alike inputs as one tensor" and over:
        over += " / 2"  # the derivative in one tensor is the sum of those in two arguments
    call = f'evaluate(implementation, "{run.format}", *pairs, **options, way={way!r}, weights='
    if run.claims.get("reduction") == "mean":
        return [f"weights = {weights}"], f"[{call}[w]).{part}{over.replace('weights', 'w')} for w in weights]", exact
    other = "pairs" if way in _WHOLE else "[pairs[1], pairs[0], pairs[3], pairs[2]]"
    prefix = [
        f"weights = {[weight for weight in weights for _ in range(2)]}",
        f"pairs = [[x, y] * {len(weights)} for x, y in zip(pairs, {other})]",
    ]
    return prefix, f"({call}weights).{part}{over})[::2]", exact if unweighed or opposed else f"{exact}[0]"


def inputs(worst: Worst, digits: int = 6) -> str:
    """The worst input in short: the logit alone where it was fed as one."""
    n = len(next(iter(worst.inputs.values())))
    if n > 1:
        return f"a batch of {n} pairs"
    if worst.parameters:
        numbers = ", ".join(f"{float.fromhex(values[0]):.{digits}g}" for values in worst.inputs.values())
        return f"({numbers}) " + " ".join(f"{name} {float.fromhex(x):.{digits}g}" for name, x in worst.options.items())
    pc, pr, rc, rr = (float.fromhex(worst.inputs[key][0]) for key in LOGPS)
    beta, eps = float.fromhex(worst.beta), float.fromhex(worst.label_smoothing)
    smoothing = f" ε {eps:.{digits}g}" if eps else ""
    if beta == 1 and rc == rr == 0 and (pc == 0 or pr == 0):
        return f"z = {pc - pr:.{digits}g}{smoothing}"
    numbers = ", ".join(f"{x:.{digits}g}" for x in (pc, pr, rc, rr))
    return f"({numbers}) β {beta:.{digits}g}{smoothing}"


def kernel(run: Run, quantity: str) -> Finding | None:
    """The finding of the kernel clause of that quantity, "loss" or "d loss", where it was judged."""
    for finding in run.findings:
        judged = finding.clause in {"KERNEL-1", "KERNEL-2"} and finding.worst is not None
        if judged and finding.worst is not None and finding.worst.quantity.startswith(quantity + " "[: quantity != "loss"]):
            return finding
    return None


def kernel_ulp(run: Run, quantity: str) -> str:
    """The worst error in ulps of the kernel clause of that quantity, "loss" or "d loss"."""
    finding = kernel(run, quantity)
    return "" if finding is None or finding.worst is None else figure(finding.worst.ulp)


def worst_rho(run: Run) -> str:
    """The largest rho under a MUST; empty where nothing was judged by one."""
    return "" if run.worst is None else figure(run.worst.rho)


def worst_input(run: Run, digits: int = 6) -> str:
    """The input of the largest rho, or why the run was not judged."""
    return visible(run.reason) if run.worst is None else inputs(run.worst, digits)


def summary(record: Record) -> str:
    """How many runs came to which verdict, and what made them."""
    counts = {verdict: sum(run.verdict is verdict for run in record.runs) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    profile = record.runs[0].profile if record.runs else ""
    version = record.suite["version"]
    runs = "1 run" if len(record.runs) == 1 else f"{len(record.runs)} runs"
    judged = _judged(record)
    incomplete = f"Incomplete: {visible(record.incomplete)}. " if record.incomplete else ""
    if not record.runs:
        return f"{incomplete}Nothing is judged. Seed {record.seed}, suite {version}."
    return f"{incomplete}{runs}: {told}{judged}. Profile {profile}, seed {record.seed}, suite {version}."


def _judged(record: Record) -> str:
    """By how many clauses the runs were judged, and how many do not apply to what they claim."""
    runs = [run for run in record.runs if run.judged]
    if not runs:
        return ""
    judged = [sum(f.verdict.judged for f in run.findings) for run in runs]
    unclaimed = [sum(f.verdict is Verdict.NOT_CLAIMED for f in run.findings) for run in runs]
    clauses = "clause" if set(judged) == {1} else "clauses"
    return f", by {_span(judged)} {clauses}{' each' if len(runs) > 1 else ''}, {_span(unclaimed)} not claimed"


def _span(counts: list[int]) -> str:
    return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def visible(text: str) -> str:
    """The text with whatever does not print spelt out: no escape sequence, no line break, nothing that XML forbids."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def figure(value: float) -> str:
    """A number to three digits, never rounded below itself by more than its last one."""
    return f"{value:.3g}" if math.isfinite(value) else "∞"


def decimal(hexadecimal: str) -> str:
    """A hexadecimal number in decimal, with as many digits as tell it from its neighbours in binary64."""
    return hexadecimal if hexadecimal.startswith("...") else repr(float.fromhex(hexadecimal))


def _folded(text: str, width: int, indent: int = 2) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, width, initial_indent=space, subsequent_indent=space, break_long_words=False)


def code_list(values: Sequence[str]) -> str:
    """Hexadecimal numbers as Python: one alone, or a list."""
    return code_number(values[0]) if len(values) == 1 else f"[{', '.join(code_number(value) for value in values)}]"


def code_number(hexadecimal: str) -> str:
    """A hexadecimal number as Python."""
    value = float.fromhex(hexadecimal)
    return repr(value) if math.isfinite(value) else f'float("{hexadecimal}")'
