"""docs/judge-your-own.md: a mistake in a snippet is found by its command, and wrapping takes ten lines at most."""

import ast

import pytest
from pages import fences
from reader import Reader, lines

pytestmark = pytest.mark.no_cover  # what it runs is counted where others run it

PAGE = "docs/judge-your-own.md"
FILES = {fence.file: fence for fence in fences(PAGE) if fence.file}
COMMANDS = [line for fence in fences(PAGE) if fence.language == "bash" for line in lines(fence)]
OTHERS_OWN = {"preference.py", "trainer.py"}
"""Files that stand for what a reader has already."""
FORMULAS = {"torch_loss.py", "numpy_loss.py", "jax_loss.py", "quill_loss.py"}
"""Files whose function `loss` is the reader's own, at the end."""


def test_every_file_of_the_page_is_judged():
    assert len(FILES) == 10
    for name in set(FILES) - OTHERS_OWN:
        assert any(f"{name}:loss" in command for command in COMMANDS), name


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("torch_loss.py", "-F.logsigmoid(z)", "-F.sigmoid(z).log()"),
        ("numpy_loss.py", "return -slope, slope, slope, -slope", "return slope, -slope, -slope, slope"),
        ("quill_loss.py", "(pc - rc) - (pr - rr)", "(pr - rr) - (pc - rc)"),
        ("class_loss.py", "kept.beta, kept.label_smoothing = beta, label_smoothing", "kept.beta = beta"),
        ("trainer.py", ".mean()", ".sum() / 2"),
    ],
)
def test_a_mistake_in_a_snippet_is_found(tmp_path, monkeypatch, pytestconfig, name, right, wrong):
    reader = Reader(PAGE, tmp_path, monkeypatch, pytestconfig)
    for fence in FILES.values():
        reader.write(fence)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert text.count(right) == 1
    (tmp_path / name).write_text(text.replace(right, wrong), encoding="utf-8")
    (line,) = [command for command in COMMANDS if name.removesuffix(".py") in command]
    with pytest.raises(AssertionError, match="exits with 1"):
        reader.line(line)


@pytest.mark.parametrize("name", sorted(set(FILES) - OTHERS_OWN))
def test_wrapping_takes_no_more_than_ten_lines(name):
    wrapping = [line for line in FILES[name].content.splitlines() if line.strip()]
    if name in FORMULAS:
        (function,) = [node for node in ast.parse(FILES[name].content).body if getattr(node, "name", "") == "loss"]
        wrapping = wrapping[: len(wrapping) - (function.end_lineno - function.lineno + 1)]
    assert len(wrapping) <= 10
