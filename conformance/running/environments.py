"""An environment for an implementation that needs its own: made once by uv or pip, kept by the hash of what it holds."""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from conformance.errors import CannotInstall
from conformance.files import cache
from conformance.implementations.loading import requirements
from conformance.implementations.requirements import Requirements
from conformance.records.environment import NAME
from conformance.running.job import Interpreter

_MARK = "complete.json"
_LAST_LINES = 12
Command = list[str]


def prepare(name: str, *, installer: str = "uv", told: Callable[[str], None] = lambda _: None) -> Interpreter:
    """The Python of an environment that holds what the implementation of that name states to need.

    It is made if it is not there yet: uv, or venv and pip, run as they are, so that their own environment variables
    (UV_TORCH_BACKEND, UV_FIND_LINKS, PIP_CONSTRAINT ...) hold. The suite itself is not installed there: it is lent from
    where it is now, and what it depends on is installed. told: called with a line before something that takes long.

    Raises CannotInstall with the tool's last lines, and what `requirements` raises.
    """
    needed = requirements(name)
    if needed is None:
        raise CannotInstall(
            f"{name}: it does not state what it needs; --isolated takes a name that ships, or a file with inline script "
            "metadata (PEP 723)"
        )
    plan = _Plan(needed, _suite_needs(), installer, _python(needed, installer))
    folder = cache() / "environments" / plan.digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if not (folder / _MARK).is_file():
            commands = list(plan.commands(folder))
            told(f"{name}: making {folder} with {installer}: {', '.join((*needed.dependencies, *needed.alone))}")
            _make(name, folder, commands)
            held = [*plan.suite, *needed.dependencies, *needed.alone]
            (folder / _MARK).write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    return Interpreter(str(folder / "bin" / "python"), str(_lent()))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What goes into an environment, and what makes it."""

    needed: Requirements
    suite: tuple[str, ...]
    installer: str
    python: str

    @property
    def digest(self) -> str:
        """Another environment for other requirements, another installer or another Python, and for nothing else."""
        needed = self.needed
        python = platform.python_version() if self.python == sys.executable else self.python
        held = [self.installer, python, self.suite, needed.dependencies, needed.alone, needed.any_python]
        return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:12]

    def commands(self, folder: Path) -> Iterator[Command]:
        """What to run, one after the other."""
        needed, python = self.needed, str(folder / "bin" / "python")
        if self.installer == "uv":
            yield [_uv(), "venv", "--quiet", "--python", self.python, str(folder)]
            install = [_uv(), "pip", "install", "--python", python]
            passed_over = ["--python-version", "3.10"]
        else:
            yield [sys.executable, "-m", "venv", str(folder)]
            install = [python, "-m", "pip", "install", "--disable-pip-version-check"]
            passed_over = ["--ignore-requires-python"]
        yield [*install, *self.suite, *needed.dependencies]
        if needed.alone:
            yield [*install, "--no-deps", *(passed_over if needed.any_python else []), *needed.alone]


def _make(name: str, folder: Path, commands: Iterable[Command]) -> None:
    """Run the commands; what was left of an earlier attempt, which bears no mark, is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    for command in commands:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            last = "\n".join(f"  {line}" for line in done.stdout.strip().splitlines()[-_LAST_LINES:])
            shutil.rmtree(folder, ignore_errors=True)
            raise CannotInstall(f"{name}: {' '.join(command)}: exit status {done.returncode}\n{last}")


def _python(needed: Requirements, installer: str) -> str:
    """The running Python where the implementation runs on it; else the versions that it runs on, for uv to find one."""
    if SpecifierSet(needed.python).contains(platform.python_version(), prereleases=True):
        return sys.executable
    if installer == "pip":
        raise CannotInstall(f"it needs Python {needed.python}, and this is {platform.python_version()}; uv can find another")
    return needed.python


def _uv() -> str:
    """Uv's program: on the path, or beside this Python."""
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if found is None:
        raise CannotInstall("no uv here to make the environment with: pip install uv, or --installer pip")
    return found


def _suite_needs() -> tuple[str, ...]:
    """What the suite itself depends on, without its extras."""
    try:
        stated = metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        raise CannotInstall(f"{NAME} is not installed here, so that what it needs is not known: pip install -e .") from None
    wanted = (Requirement(item) for item in stated)
    return tuple(sorted(str(item) for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})))


def _lent() -> Path:
    """A folder that holds this suite and nothing else of this environment: links to its packages and its metadata."""
    suite = Path(__file__).resolve().parent.parent
    packages = [suite, suite.parent / "oracle"]
    distribution = metadata.distribution(NAME)
    records = [Path(str(distribution.locate_file(file))) for file in distribution.files or () if file.name == "METADATA"]
    places = [*packages, *(record.resolve().parent for record in records)]
    digest = hashlib.sha256("\n".join(map(str, places)).encode()).hexdigest()[:12]
    folder = cache() / "suite" / digest
    folder.mkdir(parents=True, exist_ok=True)
    for place in places:
        link = folder / place.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(place)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time makes an environment; the others wait and then find it made."""
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
