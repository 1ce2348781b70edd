"""`dpo-conformance gap`: where log-of-sigmoid parts from log-sigmoid."""

from __future__ import annotations

import json
from pathlib import Path

import click

from conformance.cli.consoles import Console
from conformance.cli.files import STDOUT, check_outputs, output, write
from conformance.cli.statuses import cannot_write
from conformance.errors import CannotLoad, ConformanceError
from conformance.gap import measurement as gap
from conformance.implementations import Implementation, load
from conformance.reports import gap as report
from conformance.reports import plots
from oracle import FORMATS, OracleError, get_format

_FIGURE = click.Path(dir_okay=False, readable=False, path_type=Path)


@click.command("gap")
@click.argument("implementations", nargs=-1, metavar="[IMPLEMENTATION]...")
@click.option("--dtype", "dtypes", multiple=True, metavar="D", help="A format; repeatable. Default: all four.")
@click.option("--plot", "figure", type=_FIGURE, help="Draw the errors over z there (needs matplotlib).")
@click.option("--plot-beta", "beta_figure", type=_FIGURE, help="Draw the loss over the margin for four beta there.")
@output("json", "Write the thresholds there.")
def command(
    implementations: tuple[str, ...],
    dtypes: tuple[str, ...],
    figure: Path | None,
    beta_figure: Path | None,
    json_file: Path | None,
) -> None:
    """Print, for each format, the logits where log(sigmoid(z)) first errs by more than an ulp, is 0, or is infinite, and
    where its gradient is first NaN or 0: predicted from the format's parameters, and measured, side by side.

    Without an IMPLEMENTATION, the naive and the stable ones of NumPy and PyTorch are measured, PyTorch's where it is installed.
    """
    check_outputs((), plot=figure, plot_beta=beta_figure, json=json_file)
    try:
        for drawn in filter(None, (figure, beta_figure)):
            plots.check(drawn)
        formats = [get_format(name) for name in dtypes] or list(FORMATS)
        found = gap.measure([load(name) for name in implementations] or _what_is_here(), formats)
        report.render(found, Console(highlight=False, stderr=json_file == STDOUT))
        if json_file is not None:
            write(json_file, json.dumps(found.to_json(), indent=1, sort_keys=True) + "\n")
        if figure is not None:
            plots.plot_gap(found, figure)
        if beta_figure is not None:
            plots.plot_beta(beta_figure)
    except (ConformanceError, OracleError) as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(error.filename or "standard output", error) from error


def _what_is_here() -> list[Implementation]:
    """The default ones that can be loaded; what cannot is told on standard error."""
    found = []
    for name in gap.DEFAULT:
        try:
            found.append(load(name))
        except CannotLoad as error:
            click.echo(f"Not measured: {error}", err=True)
    return found
