"""JSON Schemas (draft 2020-12) made from results: from their fields' types, and what is said beside them."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from textwrap import dedent
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from labctl.contract.value import Rule, Unknown, When, may_be_missing

_WIDTH: Final = 110
_TIME: Final = {
    "description": "RFC 3339 in UTC, with six decimals.",
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z$",
}
_SIMPLE: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    Path: {"type": "string", "minLength": 1},
    bytes: {"type": "string", "contentEncoding": "base64"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    None: {"type": "null"},
    Any: {},
}
_BOUNDS: Final = {"string": "Length", "array": "Items"}
_ARGUMENTS: Final = re.compile(r"^    (\w+): (.*(?:\n {6,}.*)*)", re.MULTILINE)


def of(result: type) -> dict[str, Any]:
    """Return the schema of a result's document.

    Args:
        result: A frozen dataclass with the name of its schema in ``SCHEMA``. The first paragraph of its
            docstring is the title; what is said of a field there under ``Args``, or behind it, describes it.

    Raises:
        TypeError: A type in it has no form in JSON, or two of them have one name.
    """
    name: str = result.SCHEMA  # type: ignore[attr-defined]
    shapes = _Shapes()
    whole = shapes.table(result)
    whole["properties"] = {"schema": {"const": name}, **whole["properties"]}
    whole["required"].insert(0, "schema")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{name.replace('/', ':')}",
        "title": whole.pop("description").rstrip("."),
        **whole,
        **({"$defs": dict(sorted(shapes.shared.items()))} if shapes.shared else {}),
    }


def written(value: Any, indent: int = 0, before: int = 0) -> str:
    """Write a schema: what fits into a line stands in one, and else a line for each field and each shape.

    Args:
        value: The schema, or a part of it.
        indent: How far in the line is that it stands in.
        before: How much stands in that line before it.
    """
    line = json.dumps(value, ensure_ascii=False)
    if indent + before + len(line) < _WIDTH or not value or not isinstance(value, dict | list):
        return line
    first, last = "{}" if isinstance(value, dict) else "[]"
    margin = f"\n{' ' * (indent + 2)}"
    if isinstance(value, dict):
        keys = {key: f"{json.dumps(key)}: " for key in value}
        parts = [keys[key] + written(each, indent + 2, len(keys[key])) for key, each in value.items()]
    else:
        parts = [written(each, indent + 2) for each in value]
    if isinstance(value, dict) and not value.keys() & {"type", "$ref", "anyOf"}:
        return f"{first}{margin}{f',{margin}'.join(parts)}\n{' ' * indent}{last}"
    text = first
    for n, each in enumerate(parts):
        used = len(text) - text.rindex("\n") - 1 if "\n" in text else indent + before + len(text)
        together = "\n" not in "".join(parts[max(0, n - 1) : n + 1]) and used + len(each) + 4 <= _WIDTH
        comma = "," if n else ""
        text += f"{comma}{(' ' if n else '') if together else margin}{each}"
    return text + last


class _Shapes:
    """Makes schemas of types; what has a name in the code has one in ``$defs``."""

    def __init__(self) -> None:
        self.shared: dict[str, Any] = {}
        self._classes: dict[str, type] = {}

    def table(self, made: Any) -> dict[str, Any]:
        """Return the schema of a dataclass."""
        text, said = _said(made)
        kinds = get_type_hints(made, localns=_for_types(made), include_extras=True)
        properties = {}
        for each in fields(made):
            shape = self.of(kinds[each.name])
            described = {"description": said[each.name]} if each.name in said else {}
            properties[each.name.rstrip("_")] = described | shape
        required = [each.name.rstrip("_") for each in fields(made) if not may_be_missing(made, each)]
        schema = {"type": "object", "required": required, "properties": properties}
        when: When | None = getattr(made, "WHEN", None)
        return {"description": text, **schema, **(self._when(when) if when else {})}

    def of(self, kind: Any) -> dict[str, Any]:  # noqa: PLR0911  # a return for each kind of type
        """Return the schema of a type."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return _ruled(self.of(inner[0]), inner[1:])
        if origin in {Union, UnionType}:
            return _or_null(self.of(inner[0]))
        if origin in {tuple, Mapping}:
            return self._holding(inner, array=origin is tuple)
        if origin is Literal:
            return {"enum": list(inner)} if len(inner) > 1 else {"const": inner[0]}
        if kind in _SIMPLE:
            return dict(_SIMPLE[kind])
        if kind is datetime:
            return self._shared("time", datetime, lambda: dict(_TIME))
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._shared(kind.__name__, kind, lambda: {"enum": [each.value for each in kind]})
        if isinstance(kind, type) and is_dataclass(kind):
            return self._shared(kind.__name__, kind, lambda: self.table(kind))
        raise TypeError(f"{kind} has no form in JSON")

    def _holding(self, inner: tuple[Any, ...], *, array: bool) -> dict[str, Any]:
        if not array:
            values = self.of(inner[1])
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        if inner[-1] is Ellipsis:
            return {"type": "array", "items": self.of(inner[0])}
        kinds = [self.of(each) for each in inner]
        return {"type": "array", "prefixItems": kinds, "minItems": len(kinds), "maxItems": len(kinds)}

    def _shared(self, name: str, kind: type, make: Any) -> dict[str, Any]:
        if self._classes.setdefault(name, kind) is not kind:
            raise TypeError(f"there are two {name}: {kind} and {self._classes[name]}")
        if name not in self.shared:
            self.shared[name] = {}  # a type may hold itself
            self.shared[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _when(self, when: When) -> dict[str, Any]:
        value = when.value.value if isinstance(when.value, Enum) else when.value
        told = {"if": {"properties": {when.name: {"const": value}}}}
        for word, kinds in (("then", when.then), ("else", when.otherwise)):
            if kinds:
                told[word] = {"properties": {name: self.of(kind) for name, kind in kinds.items()}}
        return told


def _ruled(shape: dict[str, Any], rules: tuple[Rule | Unknown, ...]) -> dict[str, Any]:
    for rule in rules:
        shape = _or_null(shape) if isinstance(rule, Unknown) else shape | _keywords(rule, shape["type"])
    return shape


def _keywords(rule: Rule, kind: str | list[str]) -> dict[str, Any]:
    about = _BOUNDS.get(kind[0] if isinstance(kind, list) else kind, "imum")
    bounds = {f"min{about}": rule.least, f"max{about}": rule.most}
    return {name: each for name, each in {"pattern": rule.pattern, **bounds}.items() if each is not None}


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    if "type" in shape:
        return {**shape, "type": [shape["type"], "null"]}
    if "enum" in shape:
        return {"enum": [*shape["enum"], None]}
    return {"anyOf": [shape, {"type": "null"}]}


def _for_types(made: type) -> dict[str, Any]:
    """Return the names that the modules of a class, and of those that it extends, import for types alone."""
    trees = (ast.parse(inspect.getsource(sys.modules[each.__module__])) for each in _extended(made))
    blocks = (each for tree in trees for each in tree.body if isinstance(each, ast.If))
    imports = (each for block in blocks for each in block.body if isinstance(each, ast.ImportFrom))
    return {
        name.asname or name.name: getattr(importlib.import_module(each.module or ""), name.name)
        for each in imports
        for name in each.names
    }


def _said(made: type) -> tuple[str, dict[str, str]]:
    """Return what the code says of a class, and of each of its fields."""
    title = ""
    said: dict[str, str] = {}
    for each in _extended(made):
        told, _, arguments = (inspect.getdoc(each) or "").partition("Args:\n")
        title = _plain(told.partition("\n\n")[0])
        said |= {name: _plain(text) for name, text in _ARGUMENTS.findall(arguments)}
        [tree] = ast.parse(dedent(inspect.getsource(each))).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                said[ast.unparse(field.target)] = _plain(ast.literal_eval(after.value))
    return title, said


def _extended(made: type) -> list[type]:
    """Return a dataclass with those that it extends before it."""
    return [each for each in reversed(made.__mro__) if is_dataclass(each)]


def _plain(text: str) -> str:
    """Return what is said in the code in words of JSON."""
    plain = re.sub(r"\bNone\b", "null", " ".join(text.replace("`", "").split()))
    return plain[:1].upper() + plain[1:]
