"""The site: every clause and every schema has its page, and the reference has every name."""

import importlib
import json
import re
from pathlib import Path

import citing
import clause_pages
import docstrings
import edges
import file_names
import kernel_page
import numpy as np
import pytest
import schema_pages
import written
from pages import DOCS

import oracle
from conformance.clauses import EVERY, find
from conformance.records.record import Finding, Level, Record, Run, Verdict
from oracle import FORMATS, bounds

PAGES = clause_pages.pages(DOCS / "matrix")


@pytest.mark.parametrize("clause", EVERY, ids=lambda clause: clause.id)
def test_each_clause_has_a_page_that_tells_all_of_it(clause):
    page = PAGES[clause.id]
    told = (
        clause.id,
        clause.level,
        clause.title,
        clause.statement,
        clause_pages.linked(clause.derivation),
        clause.remedy,
        *clause.guards,
        *clause.kills,
    )
    for text in told:
        assert text in page
    assert f"[{clause.id}]({clause.id}.md)" in PAGES["index"]
    (entry,) = re.findall(r"@software\{(dpo-conformance-[a-z]+-\d+),\n", page)
    assert entry == f"dpo-conformance-{clause.id.lower()}"
    assert page.count("{") == page.count("}")


def test_every_chapter_is_told_of_and_no_clause_is_left_out():
    assert list(clause_pages.chapters()) == list(dict.fromkeys(clause.chapter for clause in EVERY))
    assert all(about and not about.startswith(name) for name, about in clause_pages.chapters().items())
    assert set(PAGES) == {clause.id for clause in EVERY} | {"index"}
    assert set(edges._OF) <= set(PAGES)


def test_the_page_of_the_kernel_has_what_the_suite_accepts():
    page = kernel_page.page()
    for fmt in FORMATS:
        (section,) = re.findall(rf"(?s)### {fmt.name} .*?(?=\n#)", page)
        rows = re.findall(r"(?m)^\| (\S*) \| ([fs]) \| (\S+) \| (\S+) `\w+` \| (\S+) `\w+` \| (\S+) `(\w+)` \|$", section)
        assert len(rows) == 2 * len(kernel_page.LOGITS)
        for z, (name, _, *numbers, bits) in zip(
            (z for z in kernel_page.LOGITS for _ in "fs"), (row[1:] for row in rows), strict=True
        ):
            rounded, low, high = map(float, numbers)
            accepted = (bounds.kernel_losses if name == "f" else bounds.kernel_slopes)(np.array([z]), fmt)
            assert low <= rounded <= high
            assert all(accepted.rho(np.array([x]))[0] <= 1 for x in (low, high))
            assert fmt.decode(np.array([int(bits, 16)], dtype=fmt.bits_dtype))[0] == high
            assert accepted.rho(fmt.from_ordinals(fmt.ordinals(np.array([high])) + 1))[0] > 1


def test_the_exact_values_of_a_page_are_the_clauses_own():
    page = PAGES["DEF-2"]
    assert find("DEF-2").derivation.count("0.5284103686538837066") == 1
    assert "0.5284103686538837066" in page.partition("Exact values")[2]
    (row,) = [line for line in PAGES["KERNEL-1"].splitlines() if line.startswith("| z = −88.5 |")]
    assert row.count("88.5") == len(FORMATS) + 2


def test_the_verdicts_of_a_page_are_those_of_the_records(tmp_path):
    runs = [
        Run(
            name, "", fmt, "quick", verdict, findings=(Finding("KERNEL-1", Level.MUST, verdict, 1, int(verdict == "violates")),)
        )
        for name, fmt, verdict in (("right", "binary32", Verdict.CONFORMS), ("a|b", "bfloat16", Verdict.VIOLATES))
    ]
    Record({"name": "dpo-conformance", "version": "1"}, {}, 0, tuple(runs)).write(tmp_path / "some.json")
    page = clause_pages.pages(tmp_path)["KERNEL-1"]
    assert "| right |  |  | conforms |  |" in page
    assert r"| a\|b |  | **violates** |  |  |" in page
    assert "Who obeys it" not in clause_pages.pages(tmp_path)["KERNEL-2"]


@pytest.mark.parametrize("name", schema_pages.SCHEMAS)
def test_each_schema_has_a_page_with_every_field(name):
    schema = json.loads((schema_pages.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    page = schema_pages.page(name)
    for part in (schema, *schema.get("$defs", {}).values()):
        for field, about in part.get("properties", {}).items():
            assert f"| `{field}` |" in page
            assert about.get("description", "").replace("|", "\\|") in page
    assert {path.name for path in schema_pages.FOLDER.glob("*.json")} == {f"{n}.schema.json" for n in schema_pages.SCHEMAS}


@pytest.mark.parametrize("name", sorted({*oracle.__all__, *bounds.__all__} - {"bounds", "enclosure", "judging"}))
def test_every_public_name_of_the_oracle_is_in_its_reference(name):
    """By name, or as a member of the four modules that are documented whole."""
    page = (DOCS / "oracle-api.md").read_text(encoding="utf-8")
    whole = set(re.findall(r"automodule:: (oracle\.\w+)\n   :members:", page))
    assert whole == {"oracle.enclosure", "oracle.judging", "oracle.bounds", "oracle.errors"}
    members = {name for module in whole for name in vars(importlib.import_module(module))}
    assert name in members or f"oracle.{name}\n" in page or f"`{name}`" in page


def test_pages_are_written_once_and_old_ones_are_removed(tmp_path):
    written.write_pages(tmp_path, {"a": "1", "b": "2"})
    before = (tmp_path / "a.md").stat().st_mtime_ns
    written.write_pages(tmp_path, {"a": "1", "c": "3"})
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"a.md": "1", "c.md": "3"}
    assert (tmp_path / "a.md").stat().st_mtime_ns == before


def test_a_docstring_is_shown_as_it_stands():
    text = "x * y and |x|, see `name`.\n\n    a = b * c\n\n- one\n  more\n- two"
    assert docstrings.to_rst(text.split("\n")) == [
        *(r"x \* y and \|x\|, see ``name``.", "", "::", "", "    a = b * c", "", "- one more", "", "- two"),
    ]


def test_a_block_that_names_a_file_shows_the_name():
    page = "```python mine.py\nx\n```\n\n```python\ny\n```\n"
    assert file_names.captioned(page) == "```{code-block} python\n:caption: mine.py\n\nx\n```\n\n```python\ny\n```\n"


def test_what_tex_takes_for_markup_is_escaped():
    assert citing.escaped("100 % of a_b & {c}") == r"100 \% of a\_b \& \{c\}"
    assert citing.citation()["version"] in citing.bibtex("k", "t")


def test_an_entry_has_the_address_of_its_page_where_the_site_has_one(monkeypatch):
    assert "url" not in citing.bibtex("k", "t", page="p.html")
    known = citing.citation() | {"url": "https://example.org/docs/"}
    monkeypatch.setattr(citing, "citation", lambda: known)
    assert "  url     = {https://example.org/docs/p.html}\n}" in citing.bibtex("k", "t", page="p.html")
    assert "{https://example.org/docs/clauses/KERNEL-1.html}" in clause_pages.pages(DOCS / "matrix")["KERNEL-1"]


def test_the_site_and_the_distribution_have_one_version():
    text = (Path(DOCS).parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{citing.citation()["version"]}"\n' in text
