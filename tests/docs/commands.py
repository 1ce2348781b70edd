"""Lines of a shell as pages show them: split into commands, and looked at without being run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import re
import shlex
from dataclasses import dataclass

import click
import pytest
from pages import ROOT

from conformance.cli import main

DECIDES_LATER = "test $? -eq 1"
"""After `||`: the command before may exit with 1, which a later command decides on."""
HANDS_ON = "(s=$?; test $s -eq 1 || exit $s)"
"""The same, and any other status is that of the line."""
OURS = ("dpo-conformance ", "python -m tests", "python -m benchmarks", "sphinx-build ", "pytest --dpo")
"""How a command begins that a sentence shows as code."""


@dataclass(frozen=True)
class Command:
    """One command: its words, what it sets in its environment, and the statuses that the line lets pass."""

    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    allowed: tuple[int, ...] = (0,)


def commands(line: str) -> list[Command] | None:
    """The commands of a line, joined by &&; None where it needs a shell, for a pipe or a redirection."""
    lexer = shlex.shlex(line.replace(HANDS_ON, DECIDES_LATER), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word in {"&&", "||"}:
            parts.append([word])
        elif re.fullmatch(r"[();<>|&]+", word):
            return None
        else:
            parts[-1].append(word)
    found: list[Command] = []
    for part in parts:
        if part and part[0] == "||":
            assert " ".join(part[1:]) == DECIDES_LATER, line
            found[-1] = Command(found[-1].words, found[-1].environment, (0, 1))
            continue
        words = [word for word in part if word != "&&"]
        places = []
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            places.append((name, value))
        if words:
            found.append(Command(tuple(words), tuple(places)))
    return found


def check(words: tuple[str, ...], config: pytest.Config) -> None:
    """Assert that a command exists and takes these options; it is not run."""
    program, *rest = words
    if program == "dpo-conformance":
        _click(main, rest)
    elif program == "python" and rest[0] == "-m":
        _module(rest[1], rest[2:])
    elif program == "pytest":
        for word in rest:
            if word.startswith("-"):
                config.getoption(word.partition("=")[0])  # raises ValueError for one that there is none of
    elif program == "pip":
        _pip(rest)
    elif program == "sphinx-build":
        (source, _target) = (word for word in rest if not word.startswith("-"))
        assert (ROOT / source / "conf.py").is_file()
    else:
        assert program in {"mutmut", "dask", "kill"}, f"{program}: nothing says how to look at it"


def _click(command: click.Command, words: list[str]) -> None:
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]}"
        _click(found, words[1:])
        return
    context = click.Context(command, info_name=command.name, help_option_names=["-h", "--help"])
    given, _left, _order = command.make_parser(context).parse_args(list(words))
    for parameter in command.get_params(context):
        choice = isinstance(parameter.type, (click.Choice, click.IntRange, click.FloatRange))
        if choice and given.get(parameter.name) is not None:
            parameter.type_cast_value(context, given[parameter.name])


def _module(name: str, words: list[str]) -> None:
    package = importlib.util.find_spec(f"{name}.__main__") if (ROOT / name.replace(".", "/")).is_dir() else None
    module = importlib.import_module(f"{name}.__main__" if package else name)
    found = [value for value in vars(module).values() if isinstance(value, click.Command)]
    if found:
        _click(found[-1], words)
    else:
        text = inspect.getsource(module)
        assert all(f'"{word}"' in text for word in words if word.startswith("-")), words


def _pip(words: list[str]) -> None:
    assert words[0] == "install"
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for before, word in itertools.pairwise(words):
        if before == "-c":
            assert (ROOT / word).is_file()
        for extra in re.findall(r"\[([a-z,]+)\]", word):
            assert all(f"\n{name} = [" in settings for name in extra.split(",")), word
