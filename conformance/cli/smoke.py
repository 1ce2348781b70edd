"""`dpo-conformance run --smoke`: does it answer at all, and what? Nothing is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import numpy as np

import oracle
from conformance.errors import BadRequest, ConformanceError, Misbehaviour
from conformance.implementations import Implementation
from conformance.implementations.loading import loaded
from conformance.implementations.preference import PreferenceLoss
from conformance.implementations.process import ProcessImplementation, ProgramLoss, ProgramSequence
from conformance.inputs.batch import NAMES
from conformance.inputs.losses import common
from conformance.inputs.pairs import golden
from conformance.inputs.sequences import full
from oracle import Format, UnknownFormat, get_format, losses, sequence

SHOWN = 300
"""Characters of a line that a program reads or writes."""


def show_first_answers(implementations: Sequence[str], dtypes: Sequence[str], time_limit: float) -> int:
    """Ask each for one pair in each format, and print what it says, of a program every line of the conversation, and what it
    complains of. Returns the exit status: 0 where all answered, 2 where one did not. Raises BadRequest for a format.
    """
    try:
        asked = tuple(dict.fromkeys(get_format(name) for name in dtypes))
    except UnknownFormat as error:
        raise BadRequest(str(error)) from None
    answered = [_answers(name, asked, time_limit) for name in implementations]
    return 0 if all(answered) else 2


def _answers(name: str, asked: tuple[Format, ...], time_limit: float) -> bool:
    """In this process, and not in one of its own: whoever crashes here shows how."""
    click.echo(name)
    try:
        with loaded(name, time_limit=time_limit, heard=_overheard) as implementation:
            return _each(implementation, asked)
    except ConformanceError as error:
        click.echo(f"  no answer: {error}")
        return False


def _each(implementation: Implementation, asked: tuple[Format, ...]) -> bool:
    claims = {key: value for key, value in implementation.claims.plain().items() if key != "notes"}
    click.echo(f"  name {implementation.name}; {'; '.join(f'{k} {v}' for k, v in implementation.environment.items())}")
    click.echo(f"  claims {'; '.join(f'{key} {value}' for key, value in claims.items())}")
    unavailable = implementation.unavailable()
    if unavailable is not None:
        click.echo(f"  no answer: {unavailable}")
        return False
    answered = [_one(implementation, fmt) for fmt in asked or implementation.claims.formats]
    return all(answered)


def _one(implementation: Implementation, fmt: Format) -> bool:
    if fmt not in implementation.claims.formats:
        click.echo(f"  {fmt.name}: not claimed")
        return True
    try:
        _show(implementation, fmt)
    except Misbehaviour as error:
        click.echo(f"  {fmt.name}: no answer: {error.kind}: {error}")
        return False
    finally:
        if isinstance(implementation, ProcessImplementation | ProgramLoss | ProgramSequence):
            for line in implementation.complaints.rstrip().splitlines():
                click.echo(f"  stderr   {line}")
    return True


def _show(implementation: Implementation, fmt: Format) -> None:
    """What it returns of a pair, and what is exact."""
    if isinstance(implementation, PreferenceLoss):
        _show_loss(implementation, fmt)
    elif implementation.claims.kind == "loss":
        _show_pair(implementation, fmt)
    elif isinstance(implementation, ProgramSequence):
        _show_token(implementation, fmt)
    else:
        raise Misbehaviour("not asked", f"it is a {implementation.claims.kind}, of which no single pair is asked")


def _show_loss(implementation: PreferenceLoss, fmt: Format) -> None:
    """Of the first of the six pairs that tell losses apart, at parameters that show, where they are claimed."""
    loss = losses.get_loss(implementation.claims.loss)
    parameters = loss.defaults | {name: x for name, x in loss.telling.items() if name in implementation.claims.options}
    batch = common().at(**parameters).of(loss).take([0])
    given: dict[str, Any] = {**{name: float(row[0]) for name, row in batch.rows.items()}, **batch.parameters}
    answer = implementation.evaluate(batch, fmt, gradient=True)
    click.echo(f"  {fmt.name}, {loss.name} of {', '.join(f'{name} {x!r}' for name, x in given.items())}:")
    slopes = losses.gradient(loss, **given)
    told: list[tuple[str, Any, Any]] = [("loss", answer.losses, losses.value(loss, **given))]
    told += [(f"d loss / d {name}", part, slopes[name]) for name, part in (answer.gradient or {}).items() if part is not None]
    _tell(told)


def _show_pair(implementation: Implementation, fmt: Format) -> None:
    """Of the first of the tutorial's pairs at beta 0.1: what it returns, and what is exact."""
    batch = golden().take([0])
    pair = [float(values[0]) for values in batch.logps]
    answer = implementation.evaluate(batch, fmt, gradient=implementation.claims.gradient)
    gradient = oracle.gradient(*pair, beta=batch.beta)
    click.echo(f"  {fmt.name}, of {', '.join(map(repr, pair))} at beta {batch.beta}:")
    told: list[tuple[str, Any, Any]] = [("loss", answer.losses, oracle.loss(*pair, beta=batch.beta))]
    told += [
        (f"d loss / d {name}", part, exact)
        for name, part, exact in zip(NAMES, answer.gradient or (), gradient.by_logps, strict=False)
        if part is not None
    ]
    _tell(told)


def _show_token(implementation: ProgramSequence, fmt: Format) -> None:
    """Of one token of three columns: what it returns, and what is exact."""
    row, label = [0.5, -1.0, 2.0], 2
    answer = implementation.evaluate(full(np.array([row]), [label], "one token"), fmt, gradient=True)
    click.echo(f"  {fmt.name}, of the logits {', '.join(map(repr, row))} and the label {label}:")
    told: list[tuple[str, Any, Any]] = [("log-probability", answer.values, sequence.token_logp(row, label))]
    if answer.gradient is not None:
        slopes = sequence.token_gradient(row, label)
        told += [(f"d logp / d logits[{j}]", answer.gradient[0, 0, j], slopes[j]) for j in range(len(row))]
    _tell(told)


def _tell(told: Sequence[tuple[str, Any, Any]]) -> None:
    for name, got, exact in told:
        click.echo(f"    {name:<34}{float(np.ravel(got)[0])!r:<26}exact {exact.digits(10)}")


def _overheard(what: str, line: bytes) -> None:
    text = line.decode(errors="backslashreplace").rstrip()
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}... {len(text):,} characters"
    click.echo(f"  {what:<9}{shown}")
