"""`dpo-conformance oracle`: the exact value of one pair, typed by hand."""

from __future__ import annotations

from fractions import Fraction

import click
from rich.text import Text

import oracle
from conformance.cli.allowed import allowed
from conformance.cli.consoles import Console
from conformance.cli.oracle_loss import read_parameters, show_loss
from conformance.inputs.batch import NAMES
from oracle import FORMATS, Format, OracleError, Real, get_format

_CONTEXT = {"ignore_unknown_options": True}  # so that -10 is a number and not an option


@click.command("oracle", context_settings=_CONTEXT)
@click.argument("policy_chosen_logps")
@click.argument("policy_rejected_logps")
@click.argument("ref_chosen_logps")
@click.argument("ref_rejected_logps")
@click.option("--beta", default="0.1", show_default=True, metavar="NUMBER")
@click.option("--label-smoothing", default="0", show_default=True, metavar="NUMBER")
@click.option("--loss", metavar="NAME", help="Of this loss (`list --losses`); --lengths and --parameter are for it.")
@click.option("--lengths", type=(str, str), default=("10", "10"), show_default=True, metavar="CHOSEN REJECTED", help="Tokens.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=NUMBER", help="A parameter of --loss; repeatable.")
@click.option("--dtype", "dtypes", multiple=True, metavar="D", help="What correct code may return in that format; repeatable.")
@click.option("--digits", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Significant digits.")
def command(
    policy_chosen_logps: str,
    policy_rejected_logps: str,
    ref_chosen_logps: str,
    ref_rejected_logps: str,
    beta: str,
    label_smoothing: str,
    loss: str | None,
    lengths: tuple[str, str],
    parameters: tuple[str, ...],
    dtypes: tuple[str, ...],
    digits: int,
) -> None:
    """Print the exact loss and gradient of one pair, and the loss correctly rounded into each format.

    Numbers are decimal, hexadecimal floats (0x1.8p+3), ratios (1/10), inf or nan, and are taken exactly: 0.1 is one
    tenth. Where beta or label smoothing is not a binary64, the result for the binary64 next to it is shown beside.

    With --dtype, for that format and beta and label smoothing as binary64: the loss and each derivative correctly rounded,
    and the least and the greatest number that the suite accepts, on the way of any code that computes in the format.
    """
    logps = (policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps)
    console = Console(highlight=False)
    try:
        if loss is not None:
            given = dict(zip((*NAMES, "chosen_lengths", "rejected_lengths"), (*logps, *lengths), strict=True))
            show_loss(console, loss, given, read_parameters(parameters), digits)
            return
        if not dtypes:
            _show(console, logps, (beta, label_smoothing), digits)
        for fmt in dict.fromkeys(get_format(name) for name in dtypes):
            options = float(_binary64("beta", beta)), float(_binary64("label_smoothing", label_smoothing))
            held = tuple(_held(name, text, fmt) for name, text in zip(NAMES, logps, strict=True))
            lines = list(allowed(held, *options, fmt))
            console.print(Text(fmt.name, style="bold"))
            for line in lines:
                console.print(Text(line), soft_wrap=True)
    except OracleError as error:
        raise click.UsageError(str(error)) from error


def _show(console: Console, logps: tuple[str, ...], options: tuple[str, str], digits: int) -> None:
    exact = _values(logps, options)
    columns = {"exact": exact}
    floats = (_binary64("beta", options[0]), _binary64("label_smoothing", options[1]))
    if floats != (_fraction("beta", options[0]), _fraction("label_smoothing", options[1])):
        columns["with beta and eps as binary64"] = _values(logps, floats)
    for title, values in columns.items():
        console.print(Text(title, style="bold"))
        for name, value in values.items():
            console.print(Text(f"  {name:<24}{value.digits(digits)}"), soft_wrap=True)
        console.print(Text("  loss, correctly rounded"))
        for fmt in FORMATS:
            rounded = values["loss"].round(fmt)
            bits = f"0x{values['loss'].bits(fmt):0{fmt.width // 4}x}"
            console.print(Text(f"    {fmt.name:<10}{rounded!r:<26}{rounded.hex():<26}{bits}"), soft_wrap=True)


def _held(name: str, text: str, fmt: Format) -> float:
    """A logp as a number of the format. Raises NotRepresentable, with the nearest."""
    number = oracle.arguments.read(name, text)
    if not isinstance(number, Fraction):
        return number
    held = fmt.round_exact(number)
    if held != number:
        raise oracle.NotRepresentable(f"{name} = {text} is no number of {fmt.name}; the nearest is {held!r}")
    return held


def _fraction(name: str, text: str) -> Fraction:
    number = oracle.arguments.read(name, text)
    if not isinstance(number, Fraction):
        raise oracle.NotFinite(name, text, "a finite number")
    return number


def _binary64(name: str, text: str) -> Fraction:
    rounded = oracle.binary64.round_exact(_fraction(name, text))
    if rounded in {float("inf"), float("-inf")}:
        return _fraction(name, text)
    return Fraction(rounded)


def _values(logps: tuple[str, ...], options: tuple[str | Fraction, str | Fraction]) -> dict[str, Real]:
    """Every quantity of the pair, by name."""
    keywords = {"beta": options[0], "label_smoothing": options[1]}
    gradient = oracle.gradient(*logps, **keywords)
    found = {
        "chosen log-ratio": oracle.chosen_logratio(*logps, **keywords),
        "rejected log-ratio": oracle.rejected_logratio(*logps, **keywords),
        "margin": oracle.margin(*logps, **keywords),
        "logit": oracle.logit(*logps, **keywords),
        "loss": oracle.loss(*logps, **keywords),
        "d/d policy_chosen": gradient.policy_chosen,
        "d/d policy_rejected": gradient.policy_rejected,
        "d/d ref_chosen": gradient.ref_chosen,
        "d/d ref_rejected": gradient.ref_rejected,
        "d/d beta": gradient.beta,
        "d/d label_smoothing": gradient.label_smoothing,
        "d2 loss / dz2": oracle.second_derivative(*logps, **keywords),
    }
    return {name: value for name, value in found.items() if isinstance(value, Real)}
