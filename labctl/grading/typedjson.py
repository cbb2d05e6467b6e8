"""Values of the grading's dataclasses, read from JSON that anybody may have written."""

from __future__ import annotations

import base64
import json
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from labctl.errors import quoted
from labctl.grading.job import Observation, Rejection
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_LARGEST_NUMBER: Final = 1 << 62
"""Points, seconds and lines are far fewer."""


def read(content: str | bytes, made: type[T], schema: str) -> T:
    """Read a document as one of the grading's dataclasses.

    What it has beyond the fields is left aside: fields may be added to a document.

    Args:
        content: The document.
        made: The dataclass.
        schema: What the document has to call its schema.

    Raises:
        ValueError: It is none, or a field is missing or of another type; the text says which.
    """
    try:
        table = json.loads(content)
    except RecursionError as exc:
        raise ValueError("it is too deep") from exc
    if not isinstance(table, dict) or table.get("schema") != schema:
        raise ValueError("it does not call itself one")
    return _of_class(made, table, "")


def _of_class(made: type[T], table: Any, where: str) -> T:
    if not isinstance(table, dict):
        raise _wrong(where, table, "an object")
    values = {}
    for each in fields(made):  # type: ignore[arg-type]  # a dataclass
        name = f"{where}.{each.name}".lstrip(".")
        if each.name in table:
            values[each.name] = _of(str(each.type), table[each.name], name)
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"{name} is missing")
    return made(**values)


def _of(kind: str, value: Any, where: str) -> Any:
    """Read a value of the type that an annotation names."""
    if kind.endswith(" | None"):
        return None if value is None else _of(kind.removesuffix(" | None"), value, where)
    if kind.startswith("tuple["):
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_of(inner, each, f"{where}[{n}]") for n, each in enumerate(value))
    if kind.startswith("Mapping["):
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        inner = kind.removeprefix("Mapping[str, ").removesuffix("]")
        return {name: _of(inner, each, f"{where}[{quoted(name)}]") for name, each in value.items()}
    return _SIMPLE[kind](value, where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, value, "a text")
    return value


def _path(value: Any, where: str) -> Path:
    if not (text := _text(value, where)) or "\0" in text:
        raise _wrong(where, value, "a path")
    return Path(text)


def _bytes(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(_text(value, where), validate=True)
    except ValueError as exc:
        raise _wrong(where, value, "base64 (RFC 4648, section 4)") from exc


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_NUMBER:
        raise _wrong(where, value, "a number from 0 on")
    return value


def _whole(value: Any, where: str) -> int:
    if not isinstance(number := _number(value, where), int):
        raise _wrong(where, value, "a whole number from 0 on")
    return number


def _made(made: type) -> Callable[[Any, str], Any]:
    def of(value: Any, where: str) -> Any:
        if is_dataclass(made):
            return _of_class(made, value, where)
        assert issubclass(made, Enum)
        try:
            return made(value)
        except ValueError as exc:
            raise _wrong(where, value, f"one of {', '.join(each.value for each in made)}") from exc

    return of


_SIMPLE: Final[Mapping[str, Callable[[Any, str], Any]]] = {
    "str": _text,
    "Path": _path,
    "bytes": _bytes,
    "float": _number,
    "int": _whole,
    **{each.__name__: _made(each) for each in (Observation, Rejection, CheckVerdict, SeedFrom)},
}


def _wrong(where: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{where or 'the document'} is {quoted(value)}, expected {expected}")
