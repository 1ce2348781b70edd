"""`dpo-conformance matrix`: judge what ships, keep the records, and write the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click

from conformance.cli.files import write
from conformance.cli.progress import Bar
from conformance.cli.run import INSTALLERS, clause_shown, prepared
from conformance.errors import CannotShow, ConformanceError
from conformance.implementations import SHIPPED
from conformance.inputs.profiles import PROFILES
from conformance.running.job import Interpreter
from conformance.running.runner import TIME_LIMIT, judge

ALONE = (
    "llamafactory",
    "mlx-lm-lora",
    "mlx-tune",
    "mlx-vlm",
    "nemo-aligner",
    "nemo-rl",
    "opake",
    "open-instruct",
    "paddleformers",
    "unsloth-mlx",
    "xtuner",
)
"""Those whose wrappers have named losses and no more."""
SEVERAL = (*ALONE, "easydel", "liger", "ms-swift", "oat", "openrlhf", "torchtune", "trl", "trl-0.24", "tunix")
"""Those whose wrappers have losses beside DPO's."""
LEFT_OUT = {"numpy-naive", "torch-naive", "torch-cuda", *ALONE}
"""Wrong on purpose, in need of a device, or with no DPO of their own."""


@click.command("matrix")
@click.argument("implementations", nargs=-1, metavar="[IMPLEMENTATION]...")
@click.option("--isolated", is_flag=True, help="Judge each in an environment of its own, made from what it says it needs.")
@click.option(
    "--installer", type=click.Choice(INSTALLERS), default="uv", show_default=True, help="What makes those environments."
)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="quick", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="What random inputs follow from.")
@click.option(
    "--docs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("docs"),
    show_default=True,
    help="Where matrix.md and matrix/NAME.json go.",
)
@click.option("--page-only", is_flag=True, help="Judge nothing: write the page anew from the records that are there.")
@click.option(
    "--losses",
    is_flag=True,
    help="Instead, every loss that each library has: what it returns and which variant it computes, in losses-by-library.md.",
)
def command(
    implementations: tuple[str, ...],
    isolated: bool,
    installer: str,
    profile: str,
    seed: int,
    docs: Path,
    page_only: bool,
    losses: bool,
) -> None:
    """Judge every IMPLEMENTATION that ships (or those given), write a record of each, and the page of all records.

    Without --isolated, only what is installed here can be judged; what cannot is named on standard error, and its
    earlier record is kept. Where docs/matrix/snippets/show-NAME.py shows its defects by the library alone, it is run there
    too, and what it prints is kept beside it. The page is made from all records in the folder.

    One that cannot be installed, loaded, run or shown is named, and the rest goes on; what was made so far stays.

    Exit status: 0 where each was judged, whatever the verdict; 2 where one could not be.
    """
    unknown = [name for name in implementations if name not in SHIPPED]
    if unknown:
        raise click.UsageError(f"no implementation {', '.join(unknown)}: of {', '.join(SHIPPED)}")
    every = SEVERAL if losses else tuple(name for name in SHIPPED if name not in LEFT_OUT)
    names = () if page_only else implementations or every
    folder = docs / "matrix" / "losses" if losses else docs / "matrix"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        failed = []
        with _ahead(names if isolated else (), installer) as ready:
            for number, name in enumerate(names, 1):
                click.echo(f"{name} ({number} of {len(names)})", err=True)
                if not (_surveyed(name, folder, ready) if losses else _judged(name, folder, profile, seed, ready)):
                    failed.append(name)
        (_write_losses if losses else _write_page)(docs)
    except ConformanceError as error:
        raise click.UsageError(str(error)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror or error}") from error
    if failed:
        click.echo(f"Not judged: {', '.join(failed)}.", err=True)
    sys.exit(2 if failed else 0)


@contextmanager
def _ahead(names: Iterable[str], installer: str) -> Iterator[Callable[[str], dict[str, Interpreter]]]:
    """What gives the Python of a name's own environment, if it is to have one; the environments are made one after the
    other while others are judged, since to install is to wait and to judge is to compute. It raises what `prepare` raises.
    """
    with ThreadPoolExecutor(1) as pool:
        made = {name: pool.submit(prepared, [name], installer) for name in names}
        try:
            yield lambda name: made[name].result() if name in made else {}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _judged(name: str, folder: Path, profile: str, seed: int, ready: Callable[[str], dict[str, Interpreter]]) -> bool:
    """Judge one, keep its record, show its defects; False where that cannot be done, said on standard error."""
    started = time.monotonic()
    try:
        interpreters = ready(name)
        with Bar() as bar:
            record = judge(name, profile=profile, seed=seed, interpreters=interpreters, progress=clause_shown(bar))
        if record.unjudged:
            raise CannotShow(f"{name}: {'; '.join(dict.fromkeys(run.reason for run in record.runs))}")
        record.write(folder / f"{name}.json")
        _show(name, folder / "snippets", interpreters.get(name))
    except ConformanceError as error:
        click.echo(str(error), err=True)
        return False
    verdicts = ", ".join(f"{run.format} {run.verdict}" for run in record.runs if run.judged)
    click.echo(f"{name}: {verdicts} ({time.monotonic() - started:.0f} s)")
    return True


def _surveyed(name: str, folder: Path, ready: Callable[[str], dict[str, Interpreter]]) -> bool:
    """Survey the losses of one, keep what was found; False where that cannot be done, said on standard error."""
    started = time.monotonic()
    try:
        interpreter = ready(name).get(name)
        python = sys.executable if interpreter is None else interpreter.python
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]) if interpreter is None else interpreter.suite}
        command = [python, "-P", "-m", "conformance.running.survey", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environ)
        if done.returncode:
            raise CannotShow(f"{name}: its losses could not be surveyed: exit status {done.returncode}")
    except ConformanceError as error:
        click.echo(str(error), err=True)
        return False
    write(folder / f"{name}.json", done.stdout)
    click.echo(f"{name}: {len(json.loads(done.stdout)['losses'])} losses ({time.monotonic() - started:.0f} s)")
    return True


def _write_losses(docs: Path) -> None:
    from conformance.reports.loss_matrix import read_surveys, render  # noqa: PLC0415 - reads the losses, which is slow to import

    page = docs / "losses-by-library.md"
    write(page, render(read_surveys(docs / "matrix" / "losses")))
    click.echo(f"{page} written.")


def _show(name: str, folder: Path, interpreter: Interpreter | None) -> None:
    """Run the snippet that shows its defects, if there is one, where it was judged, and keep what it prints."""
    snippet = folder / f"show-{name}.py"
    if not snippet.is_file():
        return
    python = sys.executable if interpreter is None else interpreter.python
    try:
        done = subprocess.run([python, "-I", str(snippet)], capture_output=True, text=True, check=False, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise CannotShow(f"{snippet}: not done within {TIME_LIMIT:g} s") from None
    if done.returncode:
        raise CannotShow(f"{snippet}: exit status {done.returncode}: {done.stderr.strip()[-500:]}")
    write(snippet.with_suffix(".txt"), done.stdout)


def _write_page(docs: Path) -> None:
    from conformance.reports.matrix import read_page, render  # noqa: PLC0415 - reads the records, which is slow to import

    page = docs / "matrix.md"
    write(page, render(read_page(docs / "matrix")))
    click.echo(f"{page} written.")
