"""Results as JSON documents, each with the name and version of its schema.

The JSON Schemas lie in ``schemas/``. Fields may be added to a document, never changed.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from labctl.errors import LabctlError

ERROR_SCHEMA: Final = "labctl/error/v1"


def document(result: Any) -> dict[str, Any]:
    """Return a command's result as a JSON document.

    Args:
        result: A frozen dataclass with the name of its schema in ``SCHEMA``.
    """
    return {"schema": result.SCHEMA, **_value(result)}


def error_document(error: LabctlError) -> dict[str, Any]:
    """Return an error as a JSON document."""
    return {
        "schema": ERROR_SCHEMA,
        "code": error.code,
        "message": _text(error.message),
        "hint": _text(error.hint),
        "detail": _value(error.detail),
    }


def dumped(content: Mapping[str, Any], *, indent: int | None = 2) -> str:
    """Return a document as text; whatever bytes a message or a log brought, it is valid JSON.

    No line of it is a command to the runner of GitHub Actions, which finds its old form, ``##[…]``, in the
    midst of a line too (``ActionCommand.cs`` in github.com/actions/runner).

    Args:
        content: The document.
        indent: None for a text of one line.
    """
    text = json.dumps(content, indent=indent, ensure_ascii=True, allow_nan=False)
    return text.replace("##[", "#\\u0023[")


def _value(value: Any) -> Any:  # noqa: PLR0911  # a return for each kind of value
    match value:
        case Enum():
            return value.value
        case str():
            return _text(value)
        case float() if not math.isfinite(value):  # JSON has no such numbers (RFC 8259, section 6)
            return None
        case None | bool() | int() | float():
            return value
        case datetime():
            return _time(value)
        case Mapping():
            return {_text(str(key)): _value(each) for key, each in value.items()}
        case list() | tuple():
            return [_value(each) for each in value]
    if dataclasses.is_dataclass(value):
        # A field named like a word of Python's has an underscore behind it.
        return {
            each.name.rstrip("_"): _value(getattr(value, each.name)) for each in dataclasses.fields(value)
        }
    return _text(str(value))


def _time(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC; unlike strftime, isoformat writes early years with four digits."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(text: str) -> str:
    """Replace halves of surrogate pairs: bytes that were no text, which many parsers refuse."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
