"""Implementations that other distributions bring along, by entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "dpo_conformance.implementations"
"""In their pyproject.toml: [project.entry-points."dpo_conformance.implementations"] name = "package.module:attribute"."""


def plugged() -> dict[str, tuple[str, str]]:
    """Each name that an installed distribution adds: where it lives, and the distribution. Nothing is imported."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: (point.value, point.dist.name if point.dist is not None else "") for point in found}
