"""The formats of others, as schemas of labctl's own after what their makers say of them."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
FORMATS = Path(__file__).parents[2] / "data/formats"


def validate(content: Any, name: str) -> None:
    """Raise what is wrong with a document."""
    validator(name).validate(content)


@cache
def validator(name: str) -> Draft202012Validator:
    """Return what checks a format."""
    schema = json.loads((FORMATS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def elements(root: ET.Element) -> dict[str, Any]:
    """Return an element of XML as the schemas describe it."""
    return {
        "tag": root.tag,
        "attributes": dict(root.attrib),
        "text": root.text or "",
        "children": [elements(each) for each in root],
    }


def controls(text: str) -> set[str]:
    """Return the characters that command a terminal, hide text or turn it, but for line ends."""
    return {each for each in text if unicodedata.category(each) in HARMFUL} - {"\n", "\t"}


def texts(value: Any) -> str:
    """Return all texts of a JSON document."""
    if isinstance(value, dict):
        return "\n".join(texts(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return "\n".join(texts(each) for each in value)
    return str(value)
