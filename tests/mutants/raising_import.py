"""A file whose import raises. Load tests/mutants/raising_import.py:NEVER."""

from __future__ import annotations

raise OSError("libcudart.so.12: cannot open shared object file: No such file or directory")
