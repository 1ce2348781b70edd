"""What each file of the reference needs when it is copied: its framework, and nothing else that is no part of Python."""

import ast
import sys
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[2] / "oracle" / "reference").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_needs_its_framework_alone(file):
    code = file.read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in imports)
    names = {
        name.partition(".")[0]
        for node in imports
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    if file.stem == "__init__":
        assert not names - {"__future__"}
        return
    allowed = {file.stem.rpartition("_")[2]}
    assert allowed <= names <= allowed | set(sys.stdlib_module_names)
    assert "Apache License, Version 2.0" in code
    assert "To vendor: copy this file" in code
