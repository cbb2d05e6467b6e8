"""The JSON Schemas of the documents as they are published: a file each, complete in itself."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_PREFIX: Final = "labctl/"


def names() -> tuple[str, ...]:
    """Return what documents name in their field ``schema``: ``labctl/up/v1`` and so on."""
    return tuple(sorted(_paths()))


def by_word() -> dict[str, str]:
    """Return what documents name in their field ``schema`` by the word in its middle: ``up`` and so on."""
    return {each.split("/")[1]: each for each in names()}


def load(name: str) -> dict[str, Any]:
    """Return the schema of a document.

    Args:
        name: What the document names in its field ``schema``.

    Raises:
        KeyError: There is no such schema.
    """
    schema: dict[str, Any] = json.loads(_paths()[name].read_text(encoding="utf-8"))
    return schema


def file_name(name: str) -> str:
    """Return what the file of a schema is called: ``up.v1.json`` for ``labctl/up/v1``."""
    return f"{name.removeprefix(_PREFIX).replace('/', '.')}.json"


def _paths() -> dict[str, Traversable]:
    """Return the schemas' files; in a zipped package they are no paths of the file system."""
    found = (files("labctl.contract") / "schemas").iterdir()
    return {f"{_PREFIX}{each.name.removesuffix('.json').replace('.', '/')}": each for each in found}
