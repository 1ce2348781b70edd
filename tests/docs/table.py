"""What of the pages is not run as it stands, each with its reason; an entry that matches nothing is an error."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pages import Fence, fences

if TYPE_CHECKING:
    from reader import Reader

VERSIONS = ("2.4.6", "2.13.0")
"""NumPy's and torch's with which the output of judging on the pages was printed, on a CPU with AVX-512."""
FRAMEWORKS = ("jax",)
"""What an example needs that the test extra does not install."""
PYTEST = (
    *("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestUnknownMarkWarning"),
    *(f"--ignore={name}" for name in ("docs", "conformance", "oracle", "tests", "benchmarks")),
)
"""A reader's project is not the clone of ours beside it."""


PROGRAM = "g++ -std=c++17 -o my_program docs/examples/dpo_loss.cpp"


@dataclass(frozen=True)
class Excused:
    """Lines of a page that begin so are looked at, not run."""

    page: str
    starts: str
    why: str

    def matches(self, page: str, line: str) -> bool:
        return page == self.page and line.startswith(self.starts)


@dataclass(frozen=True)
class Instead:
    """A line of a page is looked at, and runs with a part of it replaced."""

    page: str
    line: str
    by: str
    why: str

    def matches(self, page: str, line: str) -> bool:
        return page == self.page and self.line in line


@dataclass(frozen=True)
class Before:
    """What a reader has or does before a line of a page."""

    page: str
    starts: str
    do: tuple[str | Callable[[Reader], None], ...]
    why: str

    def matches(self, page: str, line: str) -> bool:
        return page == self.page and line.startswith(self.starts)


@dataclass(frozen=True)
class Elsewhere:
    """The text blocks of a page that follow no block that prints them."""

    page: str
    why: str


def mine(reader: Reader) -> None:
    """The reader's own function: the one in NumPy of docs/judge-your-own.md, as mine.py."""
    (fence,) = [fence for fence in fences("docs/judge-your-own.md") if fence.file == "numpy_loss.py"]
    (reader.folder / "mine.py").write_text(fence.content, encoding="utf-8")


def copied(source: str, *targets: str) -> Callable[[Reader], None]:
    """A file under other names, for commands that take several."""

    def copy(reader: Reader) -> None:
        for target in targets:
            shutil.copy(reader.folder / source, reader.folder / target)

    return copy


EXCUSED = (
    Excused("README.md", "pip install", "installs packages; .ci/run does it, with the README's own line"),
    Excused("README.md", "pytest -n 2", "is what runs this test"),
    Excused("README.md", "dpo-conformance run --isolated", "installs a library into an environment of its own"),
    Excused("README.md", "dpo-conformance matrix", "makes an environment for each library: an hour, tens of gigabytes"),
    Excused("README.md", "dpo-conformance audit", "needs a log: docs/audit.md has one"),
    Excused("README.md", "sphinx-build", "a step of .ci/run, which has the docs extra"),
    Excused("docs/matrix.md", "dpo-conformance matrix", "makes an environment for each library: an hour, tens of gigabytes"),
    Excused(
        "docs/losses-by-library.md",
        "dpo-conformance matrix",
        "makes an environment for each library: an hour, tens of gigabytes",
    ),
    Excused("docs/judge-your-path.md", "dpo-conformance run trainer.py:loss", "needs TRL: tests.sequences.page judges it"),
    Excused("docs/cuda.md", "dpo-conformance run torch-cuda", "needs a CUDA device: test_cuda_placement.py"),
    Excused("docs/sweep.md", "dask", "starts a server: test_sweep_cluster.py makes a cluster"),
    Excused("docs/sweep.md", "dpo-conformance sweep torch --dtype float32 --scheduler", "needs that server, likewise"),
    Excused("docs/vectors.md", "dpo-conformance vectors check", "generates every vector anew: a step of .ci/run"),
    Excused("docs/vectors.md", "dpo-conformance vectors write", "writes into the repository; tests/vectors/test_command.py"),
    Excused("docs/mutation-testing.md", "pip install", "installs packages"),
    Excused("docs/mutation-testing.md", "mutmut", "takes hours, and a tool that no extra installs"),
)
SOME = "-c DEF -c LOSS -c GRAD -c KERNEL -c OPTION"
"""Chapters that ask for few sizes of a batch."""
INSTEAD = (
    Instead(
        "README.md", "dpo-conformance run numpy torch", "dpo-conformance run numpy torch --dtype float32", "run whole below it"
    ),
    Instead("README.md", "torch --profile standard", "torch --profile standard --dtype float32", "four formats: 20 s"),
    Instead("README.md", "gap --plot", "gap numpy-naive --dtype bfloat16 --plot", "four implementations, four formats: 7 s"),
    Instead("README.md", "--dtype float32 --resume", "--dtype float32 --from 16 --to 17 --resume", "every float32: 100 s"),
    Instead("README.md", "tests.mutants", "tests.mutants --only log-of-sigmoid --workers 1", "all of them: minutes"),
    Instead("README.md", "--points 1e6", "--points 1e3", "10^6 points: minutes"),
    Instead("README.md", "mine.py:loss  ", "mine.py:loss -k 'bfloat16 and KERNEL-1' ", "every clause in every format: 20 s"),
    *(
        Instead("docs/judge-your-own.md", f"run {name}.py:loss", f"run {name}.py:loss {SOME}", why)
        for name, why in (
            ("jax_loss", "XLA compiles every operation for each size: 30 s"),
            ("jitted_loss", "XLA compiles it for each size: 30 s"),
            ("quill_loss", "a framework in pure Python, batches of 65,536: 12 s"),
        )
    ),
    Instead("docs/enclosures.md", "--points 1e8", "--points 1e3", "10^8 points: hours"),
    Instead("docs/enclosures.md", "--points 2e6", "--points 1e3", "2·10^6 points: minutes"),
    Instead("docs/enclosures.md", "--points 1e6", "--points 1e3", "10^6 calls: minutes"),
    Instead("docs/enclosures.md", "--patterns", "--points 0", "every 16-bit pattern by the exact oracle: minutes"),
    Instead("docs/sweep.md", "--dtype float32 --resume", "--dtype float32 --from 16 --to 17 --resume", "every float32: 100 s"),
    Instead("docs/gate.md", "run torch-compile", "run torch-softplus", "torch.compile takes half a minute to compile"),
    Instead("docs/pytest.md", '"dpo and must" -n 2', '"dpo and must" --dpo-dtype bfloat16 -n 1', "four formats: 20 s"),
)
BEFORE = (
    Before("README.md", "dpo-conformance gate", (copied("record.json", "baseline.json"),), "a baseline is an earlier record"),
    Before("README.md", "dpo-conformance report a.json", (copied("record.json", "a.json", "b.json"),), "two records"),
    Before("docs/gate.md", "dpo-conformance run mine.py:loss --json", (mine,), "the reader's own function"),
    Before(
        "docs/gate.md",
        "dpo-conformance gate record.json --baseline baseline.json",
        (copied("record.json", "baseline.json"),),
        "the committed baseline",
    ),
    Before("docs/process.md", "dpo-conformance run 'process:./my_program", (PROGRAM,), "the reader's own program"),
    Before("docs/pytest.md", "pytest --dpo-implementation mine.py:loss --dpo-dtype", (mine,), "the reader's own function"),
)
ELSEWHERE = (
    Elsewhere(
        "docs/sequences.md",
        "what docs/sequences/snippets print: test_snippets.py runs those; tests.sequences.page puts it there",
    ),
    Elsewhere("docs/matrix.md", "what docs/matrix/snippets print: test_snippets.py runs those; `matrix` puts it there"),
)
RENDERED = {
    "{toctree}": "a directive of Sphinx, which .ci/run builds the site with",
    "{eval-rst}": "likewise",
    "{include}": "likewise",
    "{index}": "likewise; what the site's search finds",
    "{literalinclude}": "likewise",
}


def excused(page: str, line: str) -> bool:
    return any(entry.matches(page, line) for entry in EXCUSED)


def elsewhere(fence: Fence) -> bool:
    return any(entry.page == fence.page for entry in ELSEWHERE)


def rendered(fence: Fence) -> bool:
    return fence.language in RENDERED
