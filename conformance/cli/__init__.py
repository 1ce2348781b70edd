"""The command line: one file a command, each imported only when it is used."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

import click

from conformance.cli.statuses import concluded, guarded
from conformance.errors import did_you_mean

COMMANDS = {
    "run": "Judge implementations and print the matrix.",
    "sweep": "Judge an implementation at every logit of a format.",
    "report": "Render a saved record in any form: Markdown, JUnit XML, ...",
    "gate": "Fail where a record is worse than a baseline.",
    "diff": "Tell what differs between two records.",
    "list": "List the implementations that ship, and the clauses.",
    "matrix": "Judge what ships, keep the records, and write the page of all.",
    "oracle": "The exact loss and gradient of one pair, and their roundings.",
    "audit": "What a log, or saved tensors, prove of a run that already happened.",
    "ulp": "The error of one number, in ulps.",
    "gap": "Where log-of-sigmoid parts from log-sigmoid: predicted and measured.",
    "vectors": "Test vectors for any language: check, write or list the files.",
    "identify": "Which loss, variant and convention a function computes.",
    "losses": "Every loss on one set of pairs, exact, to 12 digits.",
    "explain": "A clause, a chapter, or a loss: what it says, why, links.",
}


class LazyGroup(click.Group):
    """Knows its commands by name and one line, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None for any other."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"conformance.cli.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's own; for a name that there is not, what is near to it is named."""
        near = did_you_mean(args[0], COMMANDS).strip() if args[0] not in COMMANDS and not args[0].startswith("-") else ""
        if near:
            ctx.fail(f"No such command {args[0]!r}: {near}")
        return super().resolve_command(ctx, args)

    def make_context(self, *arguments: Any, **keywords: Any) -> click.Context:
        """As click's own, where help is printed; what ends it has a status of its own."""
        with guarded():
            return super().make_context(*arguments, **keywords)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's own; what ends the command has a status of its own."""
        with guarded():
            return super().invoke(ctx)

    def main(self, *arguments: Any, standalone_mode: bool = True, **keywords: Any) -> Any:
        """As click's own; but an interrupt, a closed pipe, a full disk and a defect never end with the status of a verdict."""
        call = functools.partial(super().main, *arguments, **keywords, standalone_mode=False)
        return sys.exit(concluded(call)) if standalone_mode else call()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from conformance.records.environment import suite_version  # noqa: PLC0415

        click.echo(f"dpo-conformance {suite_version()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version.")
def main() -> None:
    """Settle whether a DPO loss is numerically right.

    Exit status: 0 where every MUST conforms, 1 where one is violated or the gate fails, 2 for wrong usage, an
    implementation that cannot be loaded, or records that cannot be compared. Besides, and never for a verdict: 130 after
    Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 141 where the reader of standard output went away, 74 where something could
    not be written (a full disk), 70 for a defect of the suite itself.
    """
