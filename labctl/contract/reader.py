"""Documents read as the dataclasses that they were written from, whoever may have written them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from labctl.contract.value import may_be_missing
from labctl.errors import quoted

T = TypeVar("T")

_LARGEST_NUMBER: Final = 1 << 62
"""Lines and the like are far fewer."""


def read(content: str | bytes, made: type[T]) -> T:
    """Read a document.

    What it has beyond the fields is left aside: fields may be added to a document. What may be null, and is
    where nobody says otherwise, may be missing; of what ``OTHERS`` write, whatever has a default may be.

    Args:
        content: The document.
        made: The dataclass, with the name of its schema in ``SCHEMA``. Its annotations and those of what it
            holds have to be there while the program runs.

    Raises:
        ValueError: It is none, or a field is missing or of another type; the text says which.
    """
    try:
        table = json.loads(content)
    except RecursionError as exc:
        raise ValueError("it is too deep") from exc
    if not isinstance(table, dict) or table.get("schema") != made.SCHEMA:  # type: ignore[attr-defined]
        raise ValueError("it does not call itself one")
    return of(made, table)


def of(made: type[T], table: Any) -> T:
    """Read a dataclass from what `json.loads` made of it: a part of a document, or a message.

    Raises:
        ValueError: As `read` does.
    """
    read: T = _made(made, table, "")
    return read


def plain(value: object) -> str:
    """Write what JSON has no form for, as `read` reads it: contents in base64 (RFC 4648), a path as it is."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


@cache
def _fields(made: type) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return each field's name, what a document calls it, its type, and whether it may be missing."""
    hints = get_type_hints(made, include_extras=True)
    return tuple(
        (
            each.name,
            each.name.rstrip("_"),
            hints[each.name],
            each.default is None or may_be_missing(made, each),
        )
        for each in fields(made)
    )


def _made(made: Any, table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise _wrong(where, table, "an object")
    values = {}
    for name, written, kind, optional in _fields(made):
        place = f"{where}.{written}".lstrip(".")
        if written in table:
            values[name] = _value(kind, table[written], place)
        elif not optional:
            raise ValueError(f"{place} is missing")
    if (when := getattr(made, "WHEN", None)) is not None:
        said = when.then if values[when.name] == when.value else when.otherwise
        for name, kind in said.items():
            _value(kind, table.get(name), f"{where}.{name}".lstrip("."))
    return made(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    """Read a value of a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _ruled(inner, value, where)
    if origin in {Union, UnionType}:
        return None if value is None else _value(inner[0], value, where)
    if origin in {tuple, Mapping}:
        return (_list if origin is tuple else _mapping)(inner, value, where)
    if origin is Literal or kind is None:
        return _one_of(inner or (None,), value, where)
    if kind in _SIMPLE:
        return _SIMPLE[kind](value, where)
    return (_enum if issubclass(kind, Enum) else _made)(kind, value, where)


def _enum(kind: type[Enum], value: Any, where: str) -> Enum:
    return kind(_one_of([each.value for each in kind], value, where))


def _ruled(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    read = _value(kinds[0], value, where)
    for rule in kinds[1:]:
        if not rule.holds(read):
            raise _wrong(where, value, str(rule))
    return read


def _mapping(kinds: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    return {name: _value(kinds[1], each, f"{where}[{quoted(name)}]") for name, each in value.items()}


def _list(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, value, "a list")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    elif len(kinds) != len(value):
        raise _wrong(where, value, f"a list of {len(kinds)}")
    return tuple(
        _value(kind, each, f"{where}[{n}]") for n, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def _one_of(known: Any, value: Any, where: str) -> Any:
    for each in known:
        if each == value and isinstance(value, bool) == isinstance(each, bool):
            return each
    raise _wrong(where, value, f"one of {', '.join('null' if each is None else str(each) for each in known)}")


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


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(where, value, "true or false")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_NUMBER:
        raise _wrong(where, value, "a number from 0 on")
    return value


def _whole(value: Any, where: str) -> int:
    if not isinstance(number := _number(value, where), int):
        raise _wrong(where, value, "a whole number from 0 on")
    return number


_SIMPLE: Final[Mapping[Any, Callable[[Any, str], Any]]] = {
    str: _text,
    Path: _path,
    bytes: _bytes,
    bool: _flag,
    float: _number,
    int: _whole,
}


def _wrong(where: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{where or 'the document'} is {quoted(value)}, expected {expected}")
