"""A page for each JSON schema, at schemas/NAME.html: every field with its type and what it means, then the schema itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citing import ROOT
from written import table, write_pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SCHEMAS = {
    "record": "The record",
    "sweep": "The report of a sweep",
    "vectors": "A file of vectors",
    "losses": "The vectors of a loss",
    "audit": "An audit of a run",
    "process": "The messages of a program that is judged",
}
FOLDER = ROOT / "conformance" / "schema"
Node = Mapping[str, Any]


def kind(node: Node) -> str:
    """The type of a field, in words."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in node:
            return " or ".join(kind(one) for one in node[several]) if several != "allOf" else "all of several"
    if node.get("type") == "array" and "items" in node:
        return f"array of {kind(node['items'])}"
    named = node.get("type", "any")
    told = " or ".join(named) if isinstance(named, list) else str(named)
    return f"{told}, `{node['pattern']}`" if "pattern" in node else told


def fields(node: Node, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """(field, needed, type, meaning) of an object, and of the objects that are written out within it."""
    for name, child in node.get("properties", {}).items():
        needed = "yes" if name in node.get("required", ()) else ""
        yield f"`{prefix}{name}`", needed, kind(child), child.get("description", "")
        yield from fields(child, f"{prefix}{name}.")


def page(name: str) -> str:
    """The page of one schema."""
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    parts = [f"# {SCHEMAS[name]}", "", f"`{schema['$id']}`. {schema['title']}.", "", *_object(schema)]
    for title, part in schema.get("$defs", {}).items():
        parts += ["", f"## {title}", "", *_object(part)]
    target = f"../../conformance/schema/{name}.schema.json"
    parts += ["", "## The schema itself", "", f"```{{literalinclude}} {target}", ":language: json", "```"]
    return "\n".join(parts) + "\n"


def _object(node: Node) -> list[str]:
    """What a schema says of an object, or of anything else."""
    rows = list(fields(node))
    about = node.get("description", "")
    if rows:
        return [*([about, ""] if about else []), *table(("field", "needed", "type", "meaning"), rows)]
    return [f"{kind(node)}. {about}".strip()]


def index() -> str:
    """The list of the schemas."""
    links = [f"- [{title}]({name}.md): `conformance/schema/{name}.schema.json`" for name, title in SCHEMAS.items()]
    lines = ["# The schemas", "", "JSON Schema, draft 2020-12. Each file that is written is checked by its schema first.", ""]
    return "\n".join([*lines, *links, "", "```{toctree}", ":hidden:", "", *SCHEMAS, "```"]) + "\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Writes the pages before Sphinx looks for its sources."""
    pages = {"index": index()} | {name: page(name) for name in SCHEMAS}
    app.connect("builder-inited", lambda _: write_pages(Path(app.srcdir) / "schemas", pages))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
