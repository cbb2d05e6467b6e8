"""The JSON Schemas of the documents as they are published: a file each, complete in itself."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def names() -> tuple[str, ...]:
    """Return what documents name in their field ``schema``: ``labctl/up/v1`` and so on."""
    return tuple(sorted(_paths()))


def load(name: str) -> dict[str, Any]:
    """Return the schema of a document.

    Args:
        name: What the document names in its field ``schema``.

    Raises:
        KeyError: There is no such schema.
    """
    schema: dict[str, Any] = json.loads(_paths()[name].read_text(encoding="utf-8"))
    return schema


def _paths() -> dict[str, Traversable]:
    """Return the schemas' files; in a zipped package they are no paths of the file system."""
    found = (files("labctl.contract") / "schemas").iterdir()
    return {f"labctl/{each.name.removesuffix('.json').replace('.', '/')}": each for each in found}
