"""Results as JSON documents, each with the name and version of its schema.

Fields may be added to a document, never changed: see `labctl.contract.published`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from labctl.contract.value import ErrorCode, Text
from labctl.mail.log import undated

if TYPE_CHECKING:
    from labctl.errors import LabctlError


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed.

    Args:
        code: Stable, for scripts.
        message: What failed, where, and what was seen.
        hint: One next command or step.
        detail: Further facts, different for each code.
    """

    SCHEMA: ClassVar = "labctl/error/v1"

    code: ErrorCode
    message: Text
    hint: Text
    detail: Mapping[str, Any]


def document(result: Any) -> dict[str, Any]:
    """Return a command's result as a JSON document.

    Args:
        result: A frozen dataclass with the name of its schema in ``SCHEMA``.
    """
    return {"schema": result.SCHEMA, **_value(result)}


def error_document(error: LabctlError) -> dict[str, Any]:
    """Return an error as a JSON document."""
    return document(Failure(error.code, error.message, error.hint, error.detail))


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
            return _time(value) if undated.is_known(value) else None
        case Mapping():
            return {_text(str(key)): _value(each) for key, each in value.items()}
        case list() | tuple():
            return [_value(each) for each in value]
    if is_dataclass(value):
        # A field named like a word of Python's has an underscore behind it.
        return {each.name.rstrip("_"): _value(getattr(value, each.name)) for each in fields(value)}
    return _text(str(value))


def _time(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC; unlike strftime, isoformat writes early years with four digits."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(text: str) -> str:
    """Replace halves of surrogate pairs: bytes that were no text, which many parsers refuse."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
