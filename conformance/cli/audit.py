"""`dpo-conformance audit`: what a log, or saved tensors, prove of a run that already happened."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.auditing import FileReport, Report, Settings, audit_file
from conformance.auditing.names import TOLD
from conformance.auditing.shapes import LOSSES
from conformance.cli.consoles import Console
from conformance.cli.files import STDOUT, check_outputs, output, write
from conformance.cli.progress import Bar
from conformance.errors import ConformanceError
from conformance.reports import audit_html, audit_markdown, audit_terminal

LOG = click.Path(exists=True, path_type=Path)
"""A file, or the folder of a run."""


@click.command("audit")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=LOG)
@click.option("--loss", default="sigmoid", show_default=True, metavar="NAME", help=f"One of {', '.join(LOSSES)}.")
@click.option("--beta", metavar="X", help="The beta of the run.")
@click.option("--label-smoothing", metavar="X", help="The label smoothing of the run; 0 is to be said too.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=X", help="Another parameter of the loss; repeatable.")
@click.option("--pairs-per-line", type=click.IntRange(min=1), metavar="N", help="The pairs whose mean a line is.")
@click.option("--accumulation", type=click.IntRange(min=1), metavar="N", help="Micro-batches a step.")
@click.option("--ranks", type=click.IntRange(min=1), metavar="N", help="Processes that train together.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME=QUANTITY",
    help=f"What a name of the log means that is not known; repeatable. One of {', '.join(TOLD)}.",
)
@click.option("--run", metavar="NAME", help="Which run of a database that holds several.")
@click.option("--dtype", metavar="D", help="The format in which the log-probabilities, losses and rewards are computed.")
@click.option(
    "--added-term/--no-added-term",
    default=None,
    help="Whether a term that is never negative is added to the loss: an NLL (rpo_alpha, cpo_alpha, pref_ftx).",
)
@click.option("--reference-free", is_flag=True, help="The loss is one of the policy alone, and the rewards are not.")
@output("json", "Write the report there, as JSON.")
@output("markdown", "Write the report there, for an issue or a job's summary.")
@output("html", "Write the report there, as one self-contained web page with the plot.")
def command(
    files: tuple[Path, ...],
    loss: str,
    beta: str | None,
    label_smoothing: str | None,
    parameters: tuple[str, ...],
    pairs_per_line: int | None,
    accumulation: int | None,
    ranks: int | None,
    columns: tuple[str, ...],
    run: str | None,
    dtype: str | None,
    added_term: bool | None,
    reference_free: bool,
    json_file: Path | None,
    markdown_file: Path | None,
    html_file: Path | None,
) -> None:
    """Say what each FILE proves of the run that left it.

    A FILE is a log: a trainer's state with its log_history, JSON, JSON lines, console output with a dict or name: value
    pairs a line, CSV, Parquet, TensorBoard events, a database of MLflow or Trackio, the folder of a run of MLflow or
    TensorBoard; or tensors: .npz or safetensors with the log-probabilities of the pairs and what was computed from them
    (losses, rewards), or with logits, labels and a mask. What it is, its content says. Nothing in it is run: a pickle is
    refused.

    Each line, or pair, is consistent with the configured loss, impossible, or not decided. A line that could be right is
    never called impossible: the rounding of what is printed, and of the arithmetic, is on the log's side. What is not told
    by an option is not assumed; the report says which checks needed it.

    Exit status: 0 where nothing is impossible, 1 where something is, 2 where a file cannot be read or holds too little.
    """
    check_outputs(files, json=json_file, markdown=markdown_file, html=html_file)
    named = _named(columns, "--column")
    try:
        settings = Settings.of(
            loss=loss,
            beta=beta,
            label_smoothing=label_smoothing,
            pairs_per_line=pairs_per_line,
            accumulation=accumulation,
            ranks=ranks,
            dtype=dtype,
            parameters=_named(parameters, "--parameter"),
            added_term=added_term,
            reference_free=reference_free,
        )
        report = Report(tuple(_audited(path, settings, run, named) for path in files))
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    forms = ((json_file, report.to_json), (markdown_file, lambda: audit_markdown.render(report)))
    for path, made in (*forms, (html_file, lambda: audit_html.render(report))):
        if path is not None:
            write(path, made())
    elsewhere = STDOUT in (json_file, markdown_file, html_file)
    audit_terminal.render(report, Console(highlight=False, stderr=elsewhere))
    sys.exit(report.status)


def _named(parameters: tuple[str, ...], option: str) -> dict[str, str]:
    """NAME=X as a mapping. Raises click's BadParameter."""
    named: dict[str, str] = {}
    for parameter in parameters:
        name, equals, value = parameter.rpartition("=")
        if not equals or not name or not value or name in named:
            raise click.BadParameter(
                f"{parameter!r} is not {'NAME=X' if option == '--parameter' else 'NAME=QUANTITY'}, once each", param_hint=option
            )
        named[name] = value
    return named


def _audited(path: Path, settings: Settings, run: str | None, columns: dict[str, str]) -> FileReport:
    """The report of one file, with a bar while it is read."""
    parts = path.glob("**/*") if path.is_dir() else [path]
    size = max(sum(part.stat().st_size for part in parts if part.is_file()), 1)
    with Bar(str(path)) as bar:

        def read(done: int) -> None:
            bar.show(done, size, count=f"{done / 1e6:.1f} of {size / 1e6:.1f} MB")

        try:
            return audit_file(path, settings, read, run, columns)
        except OSError as error:
            raise click.UsageError(f"{path}: {error.strerror or error}") from error
