"""What a record says of where it was made."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAME = "dpo-conformance"


def suite() -> dict[str, str]:
    """The suite's name and version."""
    return {"name": NAME, "version": suite_version()}


def suite_version() -> str:
    """The installed distribution's version; "unknown" where it runs without being installed."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "unknown"


@cache
def environment() -> dict[str, str]:
    """Python, the libraries of the oracle and of the inputs, the operating system, the CPU and how many of them."""
    return {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "mpmath": version("mpmath"),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpus": str(os.cpu_count()),
    }


def _cpu() -> str:
    """The CPU's name where Linux tells it, else what Python knows."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
