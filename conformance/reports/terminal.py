"""The terminal report: the matrix, and each violation with what is wrong, where, and how to see it again."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.errors import BadRequest
from conformance.record import Finding, Level, Record, Run, Verdict, Worst

STYLES = {
    Verdict.CONFORMS: "green",
    Verdict.VIOLATES: "bold red",
    Verdict.NOT_CLAIMED: "dim",
    Verdict.NOT_RUN: "yellow",
}
SHOWN_PAIRS = 8
LOGPS = ("policy_chosen_logps", "policy_rejected_logps", "ref_chosen_logps", "ref_rejected_logps")


def render(record: Record, console: Console) -> None:
    """The whole report of a record, on that console."""
    console.print(matrix(record.runs))
    for run in record.runs:
        for finding in run.findings:
            if finding.verdict is Verdict.VIOLATES:
                _violation(run, finding, console)
    console.print(_summary(record))


def matrix(runs: Iterable[Run]) -> Table:
    """One row for each implementation in each format: verdict, worst errors, and the worst input."""
    table = Table(title="implementation × format", title_justify="left", box=SIMPLE, pad_edge=False)
    table.add_column("implementation", overflow="fold", max_width=24)
    table.add_column("format", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("value\nulp", justify="right", no_wrap=True)
    table.add_column("gradient\nulp", justify="right", no_wrap=True)
    table.add_column("ρ", justify="right", no_wrap=True)
    table.add_column("worst input\nz, or (pc, pr, rc, rr) β ε", overflow="fold")
    previous: tuple[str, str] | None = None
    for run in runs:
        this = run.implementation, run.source
        if previous not in {None, this}:
            table.add_section()
        label = run.implementation if this != previous else ""
        previous = this
        verdict = Text(str(run.verdict), style=STYLES[run.verdict])
        worst = run.worst
        where = run.reason if worst is None else inputs(worst)
        rho = "" if worst is None else figure(worst.rho)
        table.add_row(Text(label), run.format, verdict, _kernel(run, "loss"), _kernel(run, "d loss"), rho, Text(where))
    return table


def _kernel(run: Run, quantity: str) -> str:
    """The worst error in ulps of the kernel clause of that quantity."""
    for finding in run.findings:
        kernel = finding.clause in {"KERNEL-1", "KERNEL-2"} and finding.worst is not None
        if kernel and finding.worst is not None and finding.worst.quantity.startswith(quantity + " "[: quantity != "loss"]):
            return figure(finding.worst.ulp)
    return ""


def _violation(run: Run, finding: Finding, console: Console) -> None:
    from conformance.clauses import find  # noqa: PLC0415 - the statement of a clause, where the suite still has it

    try:
        clause = find(finding.clause)
        title, statement = f"{clause.title}: ", clause.statement
    except BadRequest:
        title, statement = "", "This suite has no such clause."
    style = "bold red" if finding.level is Level.MUST else "yellow"
    share = f"{finding.violations:,} of {finding.points:,} numbers"
    head = Text.assemble((f"{finding.clause} ", style), (f"{finding.level} ", style), title)
    head.append(f"{run.implementation} in {run.format} violates it at {share}")
    console.print()
    console.print(head, soft_wrap=True)
    if finding.level is Level.SHOULD:
        console.print(Text(f"  {_briefly(finding)}"), soft_wrap=True)
        return
    console.print(Padding(Text(statement, style="dim"), (0, 0, 0, 2)))
    if finding.note:
        console.print(Text(f"  {finding.note}"), soft_wrap=True)
    if finding.worst is not None:
        for line in details(finding.worst):
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print(Text("  to see it again:", style="dim"))
        console.print(Text(snippet(run, finding.worst)), soft_wrap=True)
    console.print(Text(f"  more: dpo-conformance explain {finding.clause}", style="dim"))


def _briefly(finding: Finding) -> str:
    """A violated SHOULD in one line: the conduct, or the worst input with what was got and what is exact."""
    if finding.worst is None:
        return finding.note
    worst = finding.worst
    told = (
        f"{inputs(worst)}: {worst.quantity} {_decimal(worst.got)} ({worst.got}), exact {worst.exact}, {figure(worst.ulp)} ulp"
    )
    return f"{finding.note}; {told}" if finding.note else told


def details(worst: Worst) -> list[str]:
    """What was put in, what came out, what is exact, and how far apart they are."""
    given = {name: worst.inputs[name] for name in LOGPS} | {"beta": (worst.beta,)}
    given["label_smoothing"] = (worst.label_smoothing,)
    lines = []
    for name, values in given.items():
        shown = values if len(values) <= SHOWN_PAIRS else (*values[:SHOWN_PAIRS], f"... {len(values)} in all")
        lines += [f"{name if i == 0 else '':<22}{_decimal(value):<26}{value}" for i, value in enumerate(shown)]
    lines.append(worst.quantity)
    lines.append(f"  got     {_decimal(worst.got):<32}{worst.got}")
    lines.append(f"  exact   {worst.exact:<32}rounds to {worst.rounded}")
    lines.append(f"  error   {figure(worst.ulp)} ulp; {figure(worst.rho)} times what the bound allows")
    return lines


def snippet(run: Run, worst: Worst) -> str:
    """Python that shows the worst input again when it is pasted."""
    logps = ", ".join(_list(worst.inputs[key]) for key in LOGPS)
    options = f"beta={_python(worst.beta)}, label_smoothing={_python(worst.label_smoothing)}"
    named = f"implementation = {run.source!r}" if run.source else "# implementation = the object that was judged"
    lines = [
        "import oracle",
        "from conformance import evaluate",
        named,
        f"pairs, options = [{logps}], dict({options})",
        f'print("got  ", evaluate(implementation, "{run.format}", *pairs, **options))',
        'print("exact", oracle.loss(*pairs, **options), oracle.gradient(*pairs, **options))',
    ]
    return "\n".join(f"    {line}" for line in lines)


def inputs(worst: Worst) -> str:
    """The worst input in short, to six digits: the logit alone where it was fed as one."""
    n = len(worst.inputs[LOGPS[0]])
    if n > 1:
        return f"a batch of {n} pairs"
    pc, pr, rc, rr = (float.fromhex(worst.inputs[key][0]) for key in LOGPS)
    beta, eps = float.fromhex(worst.beta), float.fromhex(worst.label_smoothing)
    smoothing = f" ε {eps:.6g}" if eps else ""
    if beta == 1 and rc == rr == 0 and (pc == 0 or pr == 0):
        return f"z = {pc - pr:.6g}{smoothing}"
    return f"({pc:.6g}, {pr:.6g}, {rc:.6g}, {rr:.6g}) β {beta:.6g}{smoothing}"


def figure(value: float) -> str:
    """A number to three digits, never rounded below itself by more than its last one."""
    return f"{value:.3g}" if math.isfinite(value) else "∞"


def _decimal(hexadecimal: str) -> str:
    return hexadecimal if hexadecimal.startswith("...") else repr(float.fromhex(hexadecimal))


def _list(values: tuple[str, ...]) -> str:
    return _python(values[0]) if len(values) == 1 else f"[{', '.join(_python(value) for value in values)}]"


def _python(hexadecimal: str) -> str:
    value = float.fromhex(hexadecimal)
    return repr(value) if math.isfinite(value) else f'float("{hexadecimal}")'


def _summary(record: Record) -> Text:
    counts = {verdict: sum(run.verdict is verdict for run in record.runs) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    profile = record.runs[0].profile if record.runs else ""
    version = record.suite["version"]
    return Text(f"{len(record.runs)} runs: {told}. Profile {profile}, seed {record.seed}, suite {version}.")
