"""The report of a sweep for a terminal or a pipe, and as Markdown for a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance.records.record import Verdict
from conformance.reports.terminal import STYLES
from conformance.sweep.report import Bad, Bin, Judgement, Report
from oracle import get_format

DERIVATIVES = "derivatives"
"""The title of both derivatives where one is minus the other, number for number: that by policy_chosen_logps is shown."""
MIRRORED = "derivatives: d loss / d policy_chosen_logps; that by policy_rejected_logps is minus it at every logit."
Row = tuple[str, ...]


def render(report: Report, console: Console) -> None:
    """The whole report, on that console."""
    shown = columns(report)
    console.print(Text(title(report), style="bold"))
    console.print(Text(subtitle(report)))
    if shown:
        console.print(_table(["", *(name for name, _ in shown)], facts(report)))
        console.print(Text("histogram of errors", style="bold"))
        console.print(_table(["ulp", *(name for name, _ in shown)], histogram(report)))
    for name, judgement in shown:
        console.print(Text(f"worst inputs: {name}", style="bold"))
        for line in worst(judgement):
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print()
    for line in failures(report):
        console.print(Text(line, style="bold red"), soft_wrap=True)
    console.print(Text(conclusion(report), style=STYLES[report.verdict]), soft_wrap=True)


def markdown(report: Report, picture: str = "") -> str:
    """The whole report as Markdown, with the plot where the address of one is given."""
    shown = columns(report)
    parts = [f"# {title(report)}", subtitle(report)]
    if picture:
        parts.append(f"![The worst error in ulps over the logit z](<{picture}>)")
    if shown:
        heads = [name for name, _ in shown]
        parts += [_markdown_table(["", *heads], facts(report))]
        parts += ["## Histogram of errors", _markdown_table(["ulp", *heads], histogram(report))]
    for name, judgement in shown:
        lines = "\n".join(f"{number}. {line}" for number, line in enumerate(worst(judgement), start=1))
        parts += [f"## Worst inputs: {name}", lines]
    told = [*failures(report), conclusion(report)]
    return "\n\n".join([*parts, "## Verdict", *told]) + "\n"


def columns(report: Report) -> list[tuple[str, Judgement]]:
    """What is shown side by side, by title: the loss and the derivatives, both as one where they mirror each other."""
    named = [(judgement.quantity, judgement) for judgement in report.judgements]
    if len(named) == 3 and _mirrored(named[1][1], named[2][1]):
        return [named[0], (DERIVATIVES, named[1][1])]
    return named


def title(report: Report) -> str:
    """Who was swept, in what."""
    source = f" ({report.source})" if report.source not in {"", report.implementation} else ""
    low, high = float.fromhex(report.low), float.fromhex(report.high)
    whole = (-low, high) == (get_format(report.format).largest,) * 2
    which = "every logit" if whole else f"every logit from {low!r} to {high!r}"
    return f"{report.implementation}{source} in {report.format}: {which}"


def subtitle(report: Report) -> str:
    """How many logits, on what, judged by which suite, and what the columns are."""
    on = ", ".join(f"{name} {fact}" for name, fact in report.environment.items() if name != "machine")
    mirrored = f" {MIRRORED.capitalize()}" if any(name == DERIVATIVES for name, _ in columns(report)) else ""
    share = "" if report.judged == report.numbers else f" of {report.numbers:,}"
    return f"{report.judged:,}{share} logits judged by dpo-conformance {report.suite['version']}, on {on}.{mirrored}"


def facts(report: Report) -> Iterator[Row]:
    """A row for each fact, a cell for each column."""
    shown = [judgement for _, judgement in columns(report)]

    def row(name: str, *cells: str) -> Row:
        return name, *cells

    yield row(f"MUST: {report.must:g} ulp at a small z", *(_against(j.verdict, j.over_must) for j in shown))
    yield row(f"SHOULD: at most {report.should:g} ulp", *(_against(j.should, j.over_should) for j in shown))
    yield row("grade", *(j.grade for j in shown))
    yield row("worst error, ulp", *(ulps(j.ulp) for j in shown))
    yield row("  at z", *(_logit(j.worst[0].z) if j.worst else "" for j in shown))
    yield row("  which is", *(_short(j.worst[0].z) if j.worst else "" for j in shown))
    yield row("wrongly rounded", *(_share(j.wrong, j.judged) for j in shown))
    yield row("flushed to zero", *(_share(j.flushed, j.judged) for j in shown))
    yield row("not finite", *(_share(j.not_finite, j.judged) for j in shown))
    yield row("decided in double-double", *(_share(j.escalated[0], j.judged) for j in shown))
    yield row("decided by the oracle", *(_share(j.escalated[1], j.judged) for j in shown))


def histogram(report: Report) -> Iterator[Row]:
    """A row for each bin up to the last that counts anything."""
    shown = [judgement for _, judgement in columns(report)]
    last = max((i for j in shown for i, one in enumerate(j.histogram) if one.count), default=0)
    for bins in list(zip(*(j.histogram for j in shown), strict=True))[: last + 1]:
        if bins[0].upto <= 1 or any(one.count for one in bins):
            yield _interval(bins[0]), *(_share(one.count, j.judged) for one, j in zip(bins, shown, strict=True))
    if any(j.flushed for j in shown):
        yield "flushed to zero", *(_share(j.flushed, j.judged) for j in shown)


def worst(judgement: Judgement) -> Iterator[str]:
    """A line for each of the worst inputs."""
    if not judgement.worst:
        yield "none: every number is exact"
    for bad in judgement.worst:
        yield _line(bad)


def failures(report: Report) -> Iterator[str]:
    """A line for each thing that ended the sweep early."""
    for one in report.failures:
        yield f"{one.kind}: {one.text}; at the logits from {_logit(one.first)} to {_logit(one.last)}"


def conclusion(report: Report) -> str:
    """The verdict in one sentence."""
    if report.failures:
        left = report.numbers - report.judged
        return f"{report.implementation} violates: it ended the sweep, and {left:,} logits are not judged."
    above = [f"{j.quantity} at {j.over_must:,}" for j in report.judgements if j.over_must]
    if above:
        return f"{report.implementation} violates the MUST of the kernel: {', '.join(above)} logits."
    rate = f", {report.judged / report.seconds:,.0f} a second" if report.seconds else ""
    return f"{report.implementation} conforms at every logit ({report.seconds:,.1f} s{rate})."


def ulps(value: float) -> str:
    """A number of ulps to four digits, rounded up; ∞ where it is infinite."""
    if not math.isfinite(value):
        return "∞"
    if value == 0:
        return "0"
    text = f"{value:.4g}"
    if float(text) < value:
        text = f"{value + 10.0 ** (math.floor(math.log10(value)) - 3):.4g}"
    return text


def _mirrored(one: Judgement, other: Judgement) -> bool:
    def turned(bad: Bad) -> Bad:
        flipped = (_negative(bad.got), bad.exact.removeprefix("-"), _negative(bad.rounded))
        return replace(bad, got=flipped[0], exact=flipped[1], rounded=flipped[2])

    return replace(one, quantity="", worst=tuple(map(turned, one.worst))) == replace(other, quantity="")


def _negative(hexadecimal: str) -> str:
    return (-float.fromhex(hexadecimal)).hex()


def _against(verdict: Verdict, above: int) -> str:
    return f"{verdict}, {above:,} above" if above else str(verdict)


def _share(count: int, of: int) -> str:
    return f"{count:,} ({100 * count / of:.3g} %)" if count else "0"


def _interval(one: Bin) -> str:
    if one.above == 0:
        return f"[0, {one.upto:g}]"
    if math.isinf(one.upto):
        return "∞"
    if one.upto > 2.0**30:
        return f"above {one.above:,g}"
    return f"({one.above:,g}, {one.upto:,g}]"


def _line(bad: Bad) -> str:
    z, got = _logit(bad.z), _logit(bad.got)
    told = f"got {got} ({_short(bad.got)}), exact {bad.exact}, rounds to {_short(bad.rounded)}"
    return f"{ulps(bad.ulp)} ulp at z = {z} ({_short(bad.z)}): {told}"


def _logit(hexadecimal: str) -> str:
    return repr(float.fromhex(hexadecimal))


def _short(hexadecimal: str) -> str:
    """A hexadecimal float without the zeros at the end of its significand."""
    digits, p, exponent = hexadecimal.partition("p")
    return digits.rstrip("0").removesuffix(".").replace("0x", "0x") + p + exponent if p and "." in digits else hexadecimal


def _table(heads: list[str], rows: Iterator[Row]) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(Text(head), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def _markdown_table(heads: list[str], rows: Iterator[Row]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
