"""A file that takes long to import: DPO_SLOW_IMPORT seconds, 60 by default. Load tests/mutants/slow_import.py:LATE."""

from __future__ import annotations

import os
import time

time.sleep(float(os.environ.get("DPO_SLOW_IMPORT", "60")))

from conformance.implementations.torch_spellings import CPU as LATE  # noqa: E402

__all__ = ["LATE"]
