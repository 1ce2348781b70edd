"""The pytest plugin: every clause in every format a test item. It imports nothing of ours until it is asked for items.

It is a module of its own name, beside `conformance` and not within: pytest loads it in every project of an environment, and a
project may have a package `conformance` or `oracle` itself.

    pytest --dpo-implementation mine.py:loss --dpo-dtype bfloat16 -k KERNEL

Items carry the markers `dpo`, `must` or `should`, and `chapter(name="KERNEL")`. A violated MUST fails; a violated SHOULD
is an expected failure with its text as the reason; what is not claimed or not run is skipped. An accepted violation is an
expected failure too, and fails where it no longer occurs, has expired, or names no item.

Items run in pytest's own process: where an implementation may hang or crash, `dpo-conformance run` isolates it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.testing.items import Clauses

MARKERS = (
    "dpo: a clause of dpo-conformance",
    "must: a clause whose violation fails",
    "should: a clause whose violation is reported",
    "chapter(name): the chapter of a clause, such as KERNEL",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all of which begin with --dpo."""
    group = parser.getgroup("dpo", "dpo-conformance")
    group.addoption(
        "--dpo-implementation",
        action="append",
        default=[],
        metavar="NAME",
        help="Judge it: a shipped name, package.module:attribute or path/to/file.py:attribute; repeatable.",
    )
    group.addoption("--dpo-dtype", action="append", default=[], metavar="D", help="A format to judge in; repeatable.")
    group.addoption("--dpo-profile", default="quick", metavar="P", help="quick, standard or exhaustive.")
    group.addoption("--dpo-seed", type=int, default=0, metavar="N", help="What random inputs follow from.")
    group.addoption("--dpo-accept", metavar="FILE", help="Accepted violations, in TOML, as `dpo-conformance gate` takes them.")


def pytest_configure(config: pytest.Config) -> None:
    """Takes the items' own ids out of the arguments, where pytest looks for files; registers the markers, where there will
    be items that carry them.
    """
    ids = [argument for argument in config.args if argument.startswith("dpo[")]
    if ids:
        if not config.getoption("--dpo-implementation"):
            raise pytest.UsageError(f"{ids[0]}: an item of dpo-conformance; add the --dpo-implementation that it was made by")
        config.args[:] = [argument for argument in config.args if argument not in ids]
        config.option.dpo_ids, config.option.dpo_ids_alone = ids, not config.args
    if config.getoption("--dpo-implementation"):
        for marker in MARKERS:
            config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Where xdist hands the items to workers, this process finds out what is wrong with the request: they could not tell."""
    if session.config.getoption("--dpo-implementation") and session.config.pluginmanager.hasplugin("dsession"):
        _collected(session)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds the items before pytest selects among them."""
    if not config.getoption("--dpo-implementation"):
        return
    found = _collected(session)
    ids = getattr(config.option, "dpo_ids", ())  # xdist hands the options on to its workers
    if ids and config.option.dpo_ids_alone:
        items.clear()
    for clauses in found:
        hooks = clauses.ihook
        hooks.pytest_collectstart(collector=clauses)
        report = hooks.pytest_make_collect_report(collector=clauses)
        hooks.pytest_collectreport(report=report)
        for item in report.result:
            if ids and not any(item.nodeid == name or item.nodeid.startswith(f"{name}::") for name in ids):
                continue
            hooks.pytest_itemcollected(item=item)
            items.append(item)


def _collected(session: pytest.Session) -> list[Clauses]:
    """The collectors of what is asked for. Raises UsageError."""
    items_of = _ours()
    from conformance.errors import ConformanceError  # noqa: PLC0415 - costs nothing where it is unused

    try:
        found: list[Clauses] = items_of.collected(session)
    except ConformanceError as error:
        raise pytest.UsageError(str(error)) from error
    except OSError as error:
        raise pytest.UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
    return found


def _ours() -> ModuleType:
    """The module of the items. Raises UsageError where another package of the same name stands before ours."""
    for name, held in (("oracle", "enclosure.py"), ("conformance", "testing/items.py")):
        try:
            package = importlib.import_module(name)
        except ImportError as error:
            raise pytest.UsageError(f"dpo-conformance: its package {name!r} cannot be imported: {error}") from error
        places = [Path(place) for place in getattr(package, "__path__", ())] or [Path(str(package.__file__))]
        if not (places[0] / held).is_file():
            raise pytest.UsageError(
                f"dpo-conformance: {places[0]} shadows its package {name!r} here, so that pytest cannot judge with it. "
                "`dpo-conformance run` can: it judges in a process that does not look into this folder first"
            )
    return importlib.import_module("conformance.testing.items")
