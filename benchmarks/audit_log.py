"""What auditing a log costs, beside parsing each of its lines as JSON, and the memory that it takes.

    python -m benchmarks.audit_log

The time is that of the CPU, in this process; the memory is the peak of a process of its own, also of a log of 1,000 lines.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from conformance.auditing import Settings, audit_file

SIZES = (1_000, 100_000, 1_000_000)
SETTINGS = {"beta": "0.1", "label_smoothing": 0}
PEAK = """
import resource, sys
from pathlib import Path
from conformance.auditing import Settings, audit_file
audit_file(Path(sys.argv[1]), Settings.of(beta="0.1", label_smoothing=0))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def written(path: Path, lines: int) -> None:
    """A right run of one process, a JSON object a line."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for step in range(1, lines + 1):
            margin = 3 * step / lines + 0.05 * float(rng.standard_normal())
            loss = math.log1p(math.exp(-margin)) + 0.03
            line = {"step": step, "loss": round(loss, 4), "rewards/chosen": margin / 2, "rewards/rejected": -margin / 2}
            file.write(json.dumps({**line, "rewards/margins": margin, "rewards/accuracies": 0.75}) + "\n")


def main() -> None:
    """Print the table."""
    table = Table("lines", "MB", "audit, s", "json.loads, s", "ratio", "peak, MB")
    with tempfile.TemporaryDirectory() as folder:
        for lines in SIZES:
            path = Path(folder) / "log.jsonl"
            written(path, lines)
            start = time.process_time()
            audit_file(path, Settings.of(**SETTINGS))  # type: ignore[arg-type]
            audited = time.process_time() - start
            start = time.process_time()
            with path.open(encoding="utf-8") as file:
                for line in file:
                    json.loads(line)
            parsed = time.process_time() - start
            peak = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True).stdout
            row = f"{lines:,}", f"{path.stat().st_size / 1e6:.0f}", f"{audited:.2f}", f"{parsed:.2f}", f"{audited / parsed:.1f}"
            table.add_row(*row, f"{int(peak) / 1024:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
