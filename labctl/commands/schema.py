"""``labctl schema``: what the JSON documents that commands print hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from labctl.contract import published
from labctl.contract.value import Text
from labctl.errors import UsageError, quoted
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Schema:
    """One kind of document.

    Args:
        name: What such a document has in its field ``schema``.
        title: What it tells, in words.
        json_schema: What it holds, as a JSON Schema (draft 2020-12).
    """

    name: Text
    title: Text
    json_schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Schemas:
    """What the JSON documents that commands print hold."""

    SCHEMA: ClassVar = "labctl/schema/v1"

    documents: tuple[Schema, ...]


def schemas(name: str | None) -> Schemas:
    """Describe one kind of document, or all.

    Args:
        name: Its name (``labctl/up/v1``), or the part in the middle (``up``); all where it is None.

    Raises:
        UsageError: There is none of that name.
    """
    known = published.by_word()
    if name is None:
        wanted = [*known.values()]
    elif (found := known.get(name, name)) in known.values():
        wanted = [found]
    else:
        raise UsageError(
            f"no document is called {quoted(name)}{question(near(name, known))}", hint="labctl schema"
        )
    loaded = ((each, published.load(each)) for each in wanted)
    return Schemas(tuple(Schema(each, schema["title"], schema) for each, schema in loaded))
