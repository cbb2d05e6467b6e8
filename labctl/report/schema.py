"""What documents hold, as a table for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from labctl.report.layout.table import table
from labctl.report.layout.wrap import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labctl.commands.schema import Schema, Schemas

    Shape = Mapping[str, Any]

_WORDS: Final = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "null": "null",
}
_BOUNDS: Final = {"minimum": "from", "maximum": "to", "pattern": "like"}
_MANY: Final = re.compile("^(text|object|number|whole number)")
_USUAL: Final = 100
"""Columns where nothing limits them."""


def schemas(result: Schemas, width: int | None) -> str:
    """Return all kinds of documents with what they tell, or one with its fields."""
    if len(result.documents) == 1:
        return "\n".join(_fields(result.documents[0], width or _USUAL))
    return table(("DOCUMENT", "TELLS"), [(each.name, each.title) for each in result.documents])


def _fields(document: Schema, width: int) -> Iterator[str]:
    """Yield a line for each field, and what is said of it below."""
    yield f"{document.name}: {document.title}"
    for place, shape in _places(document.json_schema, document.json_schema.get("$defs", {}), ""):
        yield from wrapped(f"{place}  {_kind(shape)}", width)
        if "description" in shape:
            yield from (f"    {line}" for line in wrapped(shape["description"], width - 4))


def _places(shape: Shape, shared: Shape, above: str) -> Iterator[tuple[str, Shape]]:
    """Yield each field in a shape, with the way to it."""
    for name, each in shape.get("properties", {}).items():
        place, inner = f"{above}{name}", _resolved(each, shared)
        yield place, inner
        while "items" in inner:
            place, inner = f"{place}[]", _resolved(inner["items"], shared)
        yield from _places(inner, shared, f"{place}.")


def _resolved(shape: Shape, shared: Shape) -> Shape:
    """Return a shape with what it refers to in its place."""
    either, *others = shape.get("anyOf", (shape,))
    found = {**(shared[either["$ref"].rpartition("/")[2]] if "$ref" in either else either), **shape}
    items = {"items": _resolved(found["items"], shared)} if "items" in found else {}
    return {**found, **items, "null": bool(others)}


def _kind(shape: Shape) -> str:
    """Say in words what a value may be."""
    if "const" in shape:
        return f"always {shape['const']}"
    if "enum" in shape:
        said = f"one of {', '.join(map(str, shape['enum']))}"
    else:
        kind: str = shape["type"] if isinstance(shape["type"], str) else shape["type"][0]
        said = _WORDS.get(kind, kind)
    if "items" in shape:
        said += " of " + _MANY.sub(r"\g<0>s", _kind(shape["items"]))
    bounds = (f" {word} {shape[key]}" for key, word in _BOUNDS.items() if key in shape)
    return said + "".join(bounds) + " or null" * (shape["null"] or "null" in shape.get("type", ()))
