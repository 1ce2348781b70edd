"""`dpo-conformance ulp`: the error of one returned number."""

from __future__ import annotations

from fractions import Fraction

import click

import oracle
from oracle import OracleError, Real, get_format
from oracle.ulp import quantum_exponent, ulp_error


@click.command("ulp", context_settings={"ignore_unknown_options": True})  # so that -10 is a number and not an option
@click.argument("got")
@click.argument("exact")
@click.argument("format_name", metavar="FORMAT")
def command(got: str, exact: str, format_name: str) -> None:
    """Print the error of GOT, where EXACT is right, in ulps of FORMAT: rounded up, of the unrounded EXACT.

    Numbers are decimal, hexadecimal floats (0x1.8p+3), ratios (1/10), inf or nan, and are taken exactly.
    """
    try:
        fmt = get_format(format_name)
        true = Real.of(exact)
        error = ulp_error(got, true, fmt)
        click.echo(f"{error:.6g} ulp of {fmt.name}")
        if true.special is None:
            rounded = true.round(fmt)
            click.echo(f"  one ulp there is 2**{quantum_exponent(true, fmt)}")
            click.echo(f"  {exact} rounds to {rounded!r}, {rounded.hex()}, 0x{true.bits(fmt):0{fmt.width // 4}x}")
        held = oracle.arguments.read("got", got)
        if isinstance(held, Fraction) and fmt.round_exact(held) != held:
            click.echo(f"  {got} is no number of {fmt.name}")
    except OracleError as error:
        raise click.UsageError(str(error)) from error
