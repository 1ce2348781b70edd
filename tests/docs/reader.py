"""A reader who does what a page says: in a folder of its own, from the first block to the last."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import table
import yaml
from click.testing import CliRunner
from commands import Command, check, commands
from pages import ROOT, Fence, fences

from conformance.cli import main
from conformance.inputs.profiles import PROFILES, Profile

CLONE = ("docs", "conformance", "oracle", "tests", "benchmarks")
"""What of a clone of the repository a reader's folder has, as links."""
WIDTH = "100"
"""Of the terminal in which the output on the pages was printed."""
SMALL = {"logits_per_binade": 1, "around": 1, "pairs": 8, "examples": 4}
"""What stands for the sizes of every profile where a page states no output."""


def same_arithmetic() -> bool:
    """Whether this machine computes as that of the figures on the pages: the same libraries, and vectors as wide."""
    import torch  # noqa: PLC0415 - slow
    from numpy._core._multiarray_umath import __cpu_features__  # noqa: PLC0415

    return bool((np.__version__, torch.__version__.partition("+")[0]) == table.VERSIONS and __cpu_features__.get("AVX512_SKX"))


def compare(said: str, got: str, place: str, *, figures: bool = True) -> None:
    """Assert that the output is what the page says; "..." stands for any lines.

    Without figures only the words are compared, as another CPU or another version may err elsewhere by another ulp.
    """
    said_lines, got_lines = ([line.rstrip() for line in text.splitlines()] for text in (said, got))
    if not figures:
        assert _words(said_lines[:3]) == _words(got_lines[:3]), place
        return
    start = 0
    for number, part in enumerate(_parts(said_lines)):
        size, stop = len(part), len(got_lines)
        places = [0] if number == 0 and said_lines[0] != "..." else range(start, stop - size + 1)
        found = [i for i in places if got_lines[i : i + size] == part]
        assert found, f"{place}: the page says\n" + "\n".join(part) + "\nand it prints\n" + "\n".join(got_lines)
        start = found[0] + size
    assert said_lines[-1:] == ["..."] or start == len(got_lines), f"{place}: it prints more\n" + "\n".join(got_lines[start:])


def _parts(lines: list[str]) -> list[list[str]]:
    """The runs of lines between lines of "..."."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line == "...":
            parts.append([])
        else:
            parts[-1].append(line)
    return [part for part in parts if part]


def _words(lines: list[str]) -> list[str]:
    return re.findall(r"[A-Za-z]{3,}", " ".join(lines))


class Reader:
    """Reads one page. `missing` gathers what this machine lacks for some of its lines."""

    def __init__(self, page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, config: pytest.Config) -> None:
        self.page, self.folder, self.missing = page, folder, list[str]()
        self._monkeypatch, self._config = monkeypatch, config
        self._names = dict[str, Any](__name__="page")
        self._printed: str | None = None
        """What the block before printed."""
        for name in CLONE:
            (folder / name).symlink_to(ROOT / name)
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(ROOT))  # of a clone, as `python` in its folder has it
        for name, value in {"COLUMNS": WIDTH, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "MPLBACKEND": "agg"}.items():
            monkeypatch.setenv(name, value)

    def read(self) -> None:
        """Every fence of the page, in order."""
        for fence in fences(self.page):
            self.do(fence)
        assert not self._printed, f"{self.page}: the last block prints what the page does not state"

    def do(self, fence: Fence) -> None:
        """What a fence says: run it, write it, or compare it with what the one before it printed."""
        before, self._printed = self._printed, None
        if fence.file:
            self.write(fence)
        if fence.language == "python":
            if not fence.file:
                self._printed = self._python(fence)
        elif fence.language == "bash":
            printed = "".join(self.line(line, fence.place) for line in lines(fence))
            self._printed = printed if self._is_stated(fence) else None
        elif fence.language == "text":
            self._text(fence, before)
            return
        elif fence.language in DATA:
            DATA[fence.language](fence)
        else:
            assert table.rendered(fence), f"{fence.place}: nothing says what to do with {fence.info}"
        assert not before, f"{fence.page}: what is above line {fence.line} prints what the page does not state\n{before}"

    def _is_stated(self, fence: Fence) -> bool:
        """Whether a text block stands right beneath, with no sentence between."""
        end = fence.line + fence.content.count("\n") + 1
        return any(other.language == "text" and 0 < other.line - end <= 2 for other in fences(self.page))

    def write(self, fence: Fence) -> None:
        """The fence as the file that it names."""
        path = self.folder / fence.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fence.content, encoding="utf-8")

    def _python(self, fence: Fence) -> str:
        """Run a block in the page's names; a value in a comment after an expression is what the expression returns."""
        out, rows = io.StringIO(), fence.content.splitlines()
        with redirect_stdout(out):
            for node in ast.parse(fence.content).body:
                ast.increment_lineno(node, fence.line)
                comment = rows[node.end_lineno - fence.line - 1][node.end_col_offset :].partition("# ")[2]
                if isinstance(node, ast.Expr) and comment:
                    value = eval(compile(ast.Expression(node.value), fence.page, "eval"), self._names)
                    assert repr(value) == comment.partition(", ")[0], f"{fence.page}, line {node.lineno}"
                else:
                    exec(compile(ast.Module([node], []), fence.page, "exec"), self._names)
        return out.getvalue()

    def _text(self, fence: Fence, before: str | None) -> None:
        if fence.content.startswith("$ "):
            line, _, said = fence.content[2:].partition("\n")
            got = self.line(line, fence.place, whole=True)
            compare(said, got, fence.place, figures=same_arithmetic())
        elif before is not None:
            compare(fence.content, before, fence.place)
        else:
            assert table.elsewhere(fence), f"{fence.place}: nothing says where this output comes from"

    def line(self, line: str, place: str = "", *, whole: bool = False) -> str:
        """What a line of a shell prints. whole: with the sizes of its own profile, and whatever its exit status."""
        for entry in table.BEFORE:
            if entry.matches(self.page, line):
                for step in entry.do:
                    step(self) if callable(step) else self.line(step, place)
        instead = next((entry for entry in table.INSTEAD if not whole and entry.matches(self.page, line)), None)
        if instead is not None:
            for command in commands(line) or ():
                check(command.words, self._config)
            line = line.replace(instead.line, instead.by, 1)
        found = commands(line)
        if found is None:
            return self._shell(line, place)
        return "".join(self._run(command, place, whole) for command in found)

    def _run(self, command: Command, place: str, whole: bool) -> str:
        program, *rest = command.words
        if table.excused(self.page, " ".join(command.words)):
            check(command.words, self._config)
            return ""
        if program == "dpo-conformance":
            status, printed, errors = self._in_process(command, whole)
        elif program in {"python", "pytest"}:
            words = [sys.executable, *(["-m", "pytest", *table.PYTEST] if program == "pytest" else []), *rest]
            status, printed, errors = self._subprocess(words, command)
        elif program == "set":
            return ""
        else:
            if shutil.which(program) is None:
                self.missing.append(f"no {program} for {place}")
                return ""
            status, printed, errors = self._subprocess([program, *rest], command)
        said = f"{place}: {' '.join(command.words)} exits with {status}\n{printed}\n{errors}"
        assert status in ((0, 1) if whole else command.allowed), said
        return printed

    def _in_process(self, command: Command, whole: bool) -> tuple[int, str, str]:
        """A command of ours, in this process, judging here too: what it imports from the folder is forgotten."""
        words = list(command.words[1:])
        if words[0] in {"run", "sweep"} and "--in-process" not in words:
            words.append("--in-process")
        lacking = self._lacking(words)
        if lacking:
            self.missing.append(f"no {lacking[0]} for {' '.join(command.words)}")
            return 0, "", ""
        path, modules = list(sys.path), set(sys.modules)
        with self._monkeypatch.context() as patch:
            if not whole:
                for name in PROFILES:
                    patch.setitem(PROFILES, name, Profile(name, **SMALL))
            for name, value in command.environment:
                assert name == "PYTHONPATH"
                sys.path.append(str(self.folder / value))
            result = CliRunner().invoke(main, words)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if (file := getattr(sys.modules[name], "__file__", None)) and Path(file).is_relative_to(self.folder):
                del sys.modules[name]
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def _lacking(self, words: list[str]) -> list[str]:
        """What the implementations of a command need and this machine lacks."""
        frameworks = [name for name in table.FRAMEWORKS if any(name in word for word in words) and not _installed(name)]
        programs = [word.removeprefix("process:").split()[0] for word in words if word.startswith("process:")]
        unbuilt = [name for name in programs if shutil.which(name) is None] if self.missing else []
        return frameworks + [name for name in programs if name == "node" and shutil.which(name) is None] + unbuilt

    def _subprocess(self, words: list[str], command: Command) -> tuple[int, str, str]:
        environment = os.environ | dict(command.environment)
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout, done.stderr

    def _shell(self, line: str, place: str) -> str:
        """A line with a pipe, by bash."""
        lacking = [name for name in ("bash", *re.findall(r"(?:^|\| *)([a-z]+)", line)) if shutil.which(name) is None]
        if lacking:
            self.missing.append(f"no {lacking[0]} for {place}")
            return ""
        status, printed, errors = self._subprocess(["bash", "-eo", "pipefail", "-c", line], Command(()))
        assert status == 0, f"{place}: {line}\n{printed}\n{errors}"
        return printed


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def lines(fence: Fence) -> list[str]:
    """The lines of a bash fence that say something."""
    return [line for line in fence.content.splitlines() if line.strip() and not line.startswith("#")]


def _json(fence: Fence) -> None:
    """A document, or one a line; where "..." leaves something out, only its brackets."""
    if "..." in fence.content:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", fence.content)
        assert all(bare.count(a) == bare.count(b) for a, b in ("{}", "[]")), fence.place
        return
    try:
        json.loads(fence.content)
    except json.JSONDecodeError:
        for line in fence.content.splitlines():
            json.loads(line)


def _bibtex(fence: Fence) -> None:
    """One entry: a type, a key, and fields in balanced braces."""
    assert re.fullmatch(r"@[a-z]+\{[A-Za-z0-9-]+,\n(  [a-z]+ *= \{.*\},?\n)+\}\n", fence.content), fence.place
    bare = re.sub(r"\\[{}]", "", fence.content)
    assert bare.count("{") == bare.count("}"), fence.place


DATA = {
    "json": _json,
    "toml": lambda fence: tomllib.loads(fence.content),
    "yaml": lambda fence: yaml.safe_load(fence.content),
    "bibtex": _bibtex,
}
