"""Every fenced block of every page is run, in the order of its page, and prints what the page says it prints."""

import re
import subprocess
import sys

import pytest
import table
from commands import OURS, check, commands
from pages import DOCS, ROOT, fences, indented, pages, spans
from reader import Reader, compare, lines, same_arithmetic

pytestmark = pytest.mark.no_cover  # what it runs is counted where others run it

SNIPPETS = sorted(path for page in ("matrix", "sequences") for path in (DOCS / page / "snippets").glob("show-*.py"))
EXAMPLES = [path for path in sorted((DOCS / "examples").rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
SHOWN = [page for page in pages() if fences(page)]
"""Pages that have a block."""


@pytest.fixture
def reader(tmp_path, monkeypatch, pytestconfig):
    """reader(page): a reader of it, in a new folder."""
    return lambda page: Reader(page, tmp_path, monkeypatch, pytestconfig)


@pytest.mark.parametrize("page", SHOWN)
def test_a_page_does_what_it_says(page, reader):
    whoever = reader(page)
    whoever.read()
    if whoever.missing:
        pytest.skip(f"all else of {page} is run; {'; '.join(whoever.missing)}")


def test_no_entry_of_the_table_is_idle():
    shown = [(page, line) for page in pages() for fence in fences(page) if fence.language == "bash" for line in lines(fence)]
    single = [(page, " ".join(command.words)) for page, line in shown for command in commands(line) or ()]
    for entry in table.EXCUSED:
        assert any(entry.matches(*one) for one in single), entry
    for entry in (*table.INSTEAD, *table.BEFORE):
        assert any(entry.matches(*one) for one in shown), entry
    texts = {fence.page for page in pages() for fence in fences(page) if fence.language == "text"}
    assert {entry.page for entry in table.ELSEWHERE} <= texts
    assert set(table.RENDERED) <= {fence.language for page in pages() for fence in fences(page)}
    assert all(entry.why for entry in (*table.EXCUSED, *table.INSTEAD, *table.BEFORE, *table.ELSEWHERE))


@pytest.mark.parametrize("page", pages())
def test_a_command_within_a_sentence_exists(page, pytestconfig):
    for span in spans(page):
        if span.startswith(OURS) and not re.search(r"\b[A-Z]{3,}\b.* --help", span):
            (command,) = commands(span)
            check(command.words, pytestconfig)


@pytest.mark.parametrize("page", [page for page in pages() if indented(page)])
def test_an_indented_block_is_a_formula(page):
    for block in indented(page):
        assert not re.search(r"^ *(\$ |dpo-conformance|python|pip|pytest|import|from .* import)", block), block


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_of_a_matrix_prints_what_is_kept(path):
    """With the libraries that it shows; without them what writes the page runs it."""
    kept = path.with_suffix(".txt")
    needed = re.findall(r'"([a-z-]+)', re.search(r"dependencies = \[(.*?)\]", path.read_text(encoding="utf-8"), re.S)[1])
    if set(needed) - {"torch", "numpy", "jax"} or not kept.is_file():
        pytest.skip(f"needs {', '.join(needed)}" if kept.is_file() else "nothing is kept of it")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120, check=True)
    compare(kept.read_text(encoding="utf-8"), done.stdout, path.name, figures=same_arithmetic())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_used_by_a_page_or_a_test(path):
    used = [fence.content for page in pages() for fence in fences(page)]
    used += [test.read_text(encoding="utf-8") for test in (ROOT / "tests").rglob("test_*.py")]
    assert any(path.name in text or f"import {path.stem}\n" in text for text in used)
