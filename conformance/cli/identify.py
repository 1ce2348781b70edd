"""`dpo-conformance identify`: which loss, which variant and which convention a function computes."""

from __future__ import annotations

import sys

import click
from rich.text import Text

from conformance.cli.consoles import Console
from conformance.cli.run import as_losses
from conformance.diagnosis.identification import Match, identify
from conformance.errors import ConformanceError, Misbehaviour
from conformance.implementations import Implementation
from conformance.implementations.loading import loaded
from conformance.implementations.preference import PreferenceLoss
from conformance.inputs.batch import NAMES
from oracle import UnknownFormat, binary32, get_format
from oracle.losses import LOSSES, Loss

SHOWN = 3


@click.command("identify")
@click.argument("implementation")
@click.option("--loss", default=None, metavar="L", help="Of one that has several losses, which; as IMPLEMENTATION@L.")
@click.option("--dtype", default=None, metavar="D", help="The format to compare in. Default: binary32 where it is claimed.")
def command(implementation: str, loss: str | None, dtype: str | None) -> None:
    """Say which loss IMPLEMENTATION computes, by trying every definition and every known wrong variant.

    IMPLEMENTATION is named as for `run`. Each is compared on pairs that tell losses apart, at two settings of the options, by
    value and by derivative, within what correct arithmetic may return.

    Exit status: 0 where a definition fits every number, 1 where none does, or only a known wrong variant.
    """
    (name,) = as_losses((implementation,), () if loss is None else (loss,))
    called = ""
    try:
        with loaded(name) as judged:
            widest = max(judged.claims.formats, key=lambda fmt: fmt.precision)
            usual = binary32 if binary32 in judged.claims.formats else widest
            called = _called(judged)
            found = identify(judged, usual if dtype is None else get_format(dtype))
    except Misbehaviour as error:
        told = f"{name}: {error.kind}: {error}"
        raise click.UsageError(f"{told}; {called}" if error.kind == "raised" else told) from error
    except (ConformanceError, UnknownFormat) as error:
        raise click.UsageError(str(error)) from error
    sys.exit(show(Console(highlight=False), name, found))


def _called(judged: Implementation) -> str:
    """How it is called, for who has just read that it raised."""
    if not isinstance(judged, PreferenceLoss):
        return f"it is called with {', '.join(NAMES)}, beta and label_smoothing"
    known = LOSSES[judged.claims.loss]
    return f"for {known.name} it is called by keyword, with {', '.join((*known.inputs, *sorted(judged.claims.options)))}"


def show(console: Console, name: str, found: list[Match]) -> int:
    """Print what fits, else what comes nearest; the exit status."""
    fits = [match for match in found if match.complete]
    right = [match for match in fits if not match.candidate.wrong]
    for match in right or fits:
        by = "value and derivatives" if match.gradient else "value alone: it gives no derivatives"
        console.print(Text(f"{name} computes {match.candidate.text} ({match.numbers} numbers, {by})"))
    for match in fits if right else []:
        if match.candidate.wrong and match.candidate.base.name not in {other.candidate.loss.name for other in right}:
            mistaken = match.candidate
            console.print(Text(f"  a mistake in {mistaken.base.name} comes to the same: {mistaken.loss.title}"))
    for match in right:
        for rival in rivals(match.candidate.loss):
            console.print(Text(f"  and not {rival.name}: {rival.title}, which goes by the same name elsewhere"))
    if right:
        return 0
    if not fits:
        console.print(Text(f"{name} computes none of these: {len(found)} definitions and known wrong variants"))
        scaled = [(match.scale.text, match.candidate) for match in found if match.scale is not None]
        for times, candidate in ([one for one in scaled if not one[1].wrong] or scaled)[:SHOWN]:
            console.print(Text(f"  its values are {times} {candidate.text}"))
        for match in [match for match in found if match.agreed][:SHOWN]:
            share = f"{match.agreed} of {match.numbers} numbers agree"
            console.print(Text(f"  nearest: {match.candidate.text} ({share})"))
        console.print(Text(f"  meant for one of them? What is wrong is told by dpo-conformance run {name}"), soft_wrap=True)
    return 1


def rivals(loss: Loss) -> list[Loss]:
    """The losses that some library calls what another calls this one."""
    own = {name.partition(",")[0] for name in loss.aliases.values()}
    return [
        other
        for other in LOSSES.values()
        if other.name != loss.name and own & {name.partition(",")[0] for name in other.aliases.values()}
    ]
