"""`dpo-conformance oracle --loss`: the exact value and derivatives of any loss at one pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import click
from rich.text import Text

from conformance.cli.consoles import Console
from oracle import FORMATS, losses
from oracle.expressions.exact import Value


def read_parameters(given: tuple[str, ...]) -> dict[str, str]:
    """Parameters written NAME=NUMBER. Raises UsageError."""
    found = {}
    for item in given:
        name, equals, number = item.partition("=")
        if not equals:
            raise click.UsageError(f"--parameter {item!r}: write NAME=NUMBER")
        found[name] = number
    return found


def show_loss(console: Console, name: str, inputs: Mapping[str, Any], parameters: Mapping[str, str], digits: int) -> None:
    """The loss, its derivatives in what it takes and in its parameters, and its roundings. Raises OracleError."""
    loss = losses.get_loss(name)
    defaults = {key: f"{x:g}" for key, x in loss.defaults.items()}  # decimal, and taken exactly, as what is typed
    given: dict[str, Any] = {**inputs, **defaults, **parameters}
    value = cast(Value, losses.value(loss, **given))
    lines: dict[str, Any] = {"loss": value}
    lines |= {f"d/d {key}": x for key, x in losses.gradient(loss, **given).by.items()}
    lines |= {f"d/d {key}": x for key, x in losses.parameter_derivatives(loss, **given).by.items()}
    told = ", ".join(f"{key} {x}" for key, x in {**defaults, **parameters}.items())
    console.print(Text(f"{loss.name}: {loss.title}" + (f" ({told})" if told else ""), style="bold"), soft_wrap=True)
    for key, x in lines.items():
        console.print(Text(f"  {key:<28}{_digits(x, digits)}"), soft_wrap=True)
    console.print(Text("  loss, correctly rounded"))
    for fmt in FORMATS:
        rounded = value.round(fmt)
        console.print(Text(f"    {fmt.name:<10}{rounded!r:<26}{rounded.hex()}"), soft_wrap=True)


def _digits(x: Value, digits: int) -> str:
    return x.digits(digits)
