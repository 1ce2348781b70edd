"""`dpo-conformance gate`: what a CI does with a record, given a baseline."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.consoles import Console
from conformance.cli.files import FILE, READABLE, STDOUT, check_outputs, output, read_record, write
from conformance.errors import ConformanceError
from conformance.gate import RULES, Acceptance, Decision, Growth, compare, read_acceptances
from conformance.records.record import Record
from conformance.reports import gate_junit, gate_markdown, gate_terminal, github


@click.command("gate", epilog="The rules:\n\n\b\n" + "\n".join(f"  {rule:<22}{text}" for rule, text in RULES.items()))
@click.argument("record_file", metavar="RECORD", type=READABLE)
@click.option("--baseline", "baseline_file", required=True, type=FILE, metavar="RECORD", help="The record to compare with.")
@click.option("--accept", "accept_file", type=READABLE, metavar="FILE", help="Accepted violations, in TOML.")
@click.option("--update", is_flag=True, help="Where the gate passes, make RECORD the baseline; make one where there is none.")
@click.option(
    "--exhaustive-growth",
    type=click.FloatRange(min=1),
    default=Growth().exhaustive,
    show_default=True,
    help="Times that the worst error of a kernel judged at every 16-bit pattern may grow on the same CPU.",
)
@click.option(
    "--sampled-growth",
    type=click.FloatRange(min=1),
    default=Growth().sampled,
    show_default=True,
    help="Times that any other worst error may grow.",
)
@click.option("--stamp", metavar="TEXT", help="Refuse a RECORD that does not bear the stamp that `run --stamp` gave to it.")
@click.option("--across-machines", is_flag=True, help="Compare records of different architectures, systems or devices.")
@output("markdown", "Write the report there, for a job's summary.")
@output("junit", "Write the report there, as JUnit XML.")
@click.option("--full", is_flag=True, help="Print each regression at its worst input.")
@click.option("--annotations", is_flag=True, help="Print GitHub annotations too.")
def command(
    record_file: Path,
    baseline_file: Path,
    accept_file: Path | None,
    update: bool,
    exhaustive_growth: float,
    sampled_growth: float,
    stamp: str | None,
    across_machines: bool,
    markdown_file: Path | None,
    junit_file: Path | None,
    full: bool,
    annotations: bool,
) -> None:
    """Compare RECORD with a baseline, and fail where something is worse. Time plays no part.

    What the baseline has violated is accepted. So is what --accept names, as [[accept]] tables with implementation,
    format, clause, reason and, if wanted, expires: an entry that has expired, that no longer occurs or that names what
    was not judged fails the gate.

    Exit status: 0 where nothing is worse than in the baseline, 1 where a rule fails, 2 for wrong usage and for what
    cannot be compared: another version of the suite, another seed, profile, architecture, system or device, and a
    record that was truncated, edited or made by a newer suite, that is incomplete, or that is of another run (--stamp).
    """
    inputs = [path for path in (record_file, accept_file, baseline_file) if path is not None]
    check_outputs(inputs, markdown=markdown_file, junit=junit_file)
    if update:
        check_outputs(inputs[:-1], baseline=baseline_file)
    record = read_record(record_file)
    if stamp == "":
        raise click.BadParameter("it is empty, and tells no run from another; is a variable not set?", param_hint="--stamp")
    if stamp is not None and record.stamp != stamp:
        bears = f"bears the stamp {record.stamp!r}" if record.stamp else "bears no stamp"
        raise click.UsageError(
            f"{record_file} {bears}, where {stamp!r} is asked for: it is of another run, which judged before or elsewhere"
        )
    baseline = _baseline(baseline_file, record, update)
    growth = Growth(exhaustive_growth, sampled_growth)
    try:
        decision = compare(
            baseline, record, growth=growth, acceptances=_acceptances(accept_file), across_machines=across_machines
        )
    except ConformanceError as error:
        raise click.UsageError(f"{record_file} against {baseline_file}: {error}") from error
    if markdown_file is not None:
        write(markdown_file, gate_markdown.render(decision))
    if junit_file is not None:
        write(junit_file, gate_junit.render(decision))
    gate_terminal.render(decision, Console(highlight=False, stderr=STDOUT in (markdown_file, junit_file)), full=full)
    if annotations:
        click.echo(github.render_decision(decision), nl=False)
    _finish(decision, baseline_file, update)
    sys.exit(0 if decision.passes else 1)


def _baseline(path: Path, record: Record, update: bool) -> Record:
    """The baseline; the record itself where there is none and one is to be made."""
    if path.exists():
        return read_record(path)
    if not update:
        raise click.UsageError(f"{path}: no such file; with --update this record becomes the baseline")
    return record


def _acceptances(path: Path | None) -> tuple[Acceptance, ...]:
    try:
        return () if path is None else read_acceptances(path)
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from error


def _finish(decision: Decision, path: Path, update: bool) -> None:
    """Write the baseline where that is asked for and the gate passes; offer it where it would gain something."""
    if update and decision.passes:
        write(path, decision.record.to_json())
        held = sum(len(run.violated) for run in decision.record.runs)
        violated = f"the MUSTs that it violates, {held:,}, pass from now on" if held else "it violates no MUST"
        click.echo(f"{path} is now this record; {violated}.")
    elif update:
        click.echo(f"{path} is left as it was. To accept what is worse, replace it by hand, where a review sees it.")
    elif decision.passes and decision.improves:
        click.echo(f"To keep what is better: --update makes this record {path}.")
