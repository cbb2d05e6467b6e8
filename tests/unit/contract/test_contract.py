"""What annotations say is what schemas say, and what readers heed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping  # noqa: TC003  # read of the class
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from jsonschema import Draft202012Validator

from labctl.contract import reader, schema
from labctl.contract.value import Amount, Count, LabName, Part, Rule, Text, When, Word


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    """What lies inside."""

    word: Word
    again: Colour | None = None


@dataclass(frozen=True)
class Whole:
    """A result.

    Of all kinds.

    Args:
        name: What it is called,
            and how; None never.
        from_: Whence.
    """

    SCHEMA: ClassVar = "labctl/whole/v1"
    WHEN: ClassVar = When(
        "colour", Colour.RED, then={"inner": Inner, "amount": Literal[0]}, otherwise={"inner": None}
    )

    name: LabName
    from_: Text
    colour: Colour
    inner: Inner | None
    amount: Amount
    pair: tuple[Part, Part]
    lines: Annotated[tuple[str, ...], Rule(least=1, most=2)]
    """One `line` each."""
    table: Mapping[str, Count]
    content: bytes
    path: Path
    mode: Literal["on", "off"]
    flag: bool


GOOD = {
    "schema": "labctl/whole/v1", "name": "a-1", "from": "x", "colour": "red",
    "inner": {"word": "w", "again": None}, "amount": 0, "pair": [1, 2], "lines": ["", "b"],
    "table": {"": 0}, "content": "aGk=", "path": "/p", "mode": "off", "flag": True, "added": "later",
}  # fmt: skip


def test_a_document_is_read_as_what_it_was_written_from() -> None:
    read = reader.read(json.dumps(GOOD), Whole)
    assert read == Whole(
        "a-1", "x", Colour.RED, Inner("w"), 0, (1, 2), ("", "b"), {"": 0}, b"hi", Path("/p"), "off", flag=True
    )


def test_what_may_be_null_and_is_where_nobody_says_otherwise_may_be_missing_from_what_is_read() -> None:
    assert reader.read(json.dumps(GOOD | {"inner": {"word": "w"}}), Whole).inner == Inner("w")


def test_a_schema_says_what_the_code_says() -> None:
    made = schema.of(Whole)
    Draft202012Validator.check_schema(made)
    assert Draft202012Validator(made).is_valid(GOOD)
    assert (made["title"], made["$id"]) == ("A result", "urn:labctl:whole:v1")
    said = {name: each.get("description") for name, each in made["properties"].items()}
    assert said["name"] == "What it is called, and how; null never."
    assert (said["from"], said["lines"], said["flag"]) == ("Whence.", "One line each.", None)
    assert set(made["$defs"]) == {"Colour", "Inner"}
    assert json.loads(schema.written(made)) == made


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        *(({name: None}, name) for name in GOOD if name not in {"schema", "added"}),
        ({"name": "a\n"}, "name is 'a\\n', expected one like"),
        ({"name": "-a"}, "name is '-a', expected one like"),
        ({"from": " "}, "from is ' ', expected one like"),
        ({"colour": "green"}, "colour is 'green', expected one of red, blue"),
        ({"inner": None}, "inner is None, expected an object"),
        ({"inner": {"word": "", "again": None}}, "inner.word is '', expected no less than 1"),
        ({"inner": {"word": "w", "again": 1}}, "inner.again is 1, expected one of red, blue"),
        ({"inner": {"again": "red"}}, "inner.word is missing"),
        ({"colour": "blue"}, "expected one of null"),
        ({"colour": "blue", "inner": None, "amount": -1}, "amount is -1, expected a number from 0 on"),
        ({"colour": "blue", "inner": None, "amount": 1e13}, "expected no less than 0, no more than 10"),
        ({"amount": 1}, "amount is 1, expected one of 0"),
        ({"amount": False}, "amount is False, expected a number"),
        ({"pair": [1]}, "pair is [1], expected a list of 2"),
        ({"pair": [0, 2]}, "pair[0] is 0, expected no less than 1"),
        ({"pair": [1, 1_000_000]}, "pair[1] is 1000000, expected no less than 1, no more than 999999"),
        ({"pair": [1, 0.5]}, "pair[1] is 0.5, expected a whole number"),
        ({"lines": []}, "lines is [], expected no less than 1"),
        ({"lines": ["a", "b", "c"]}, "no more than 2"),
        ({"lines": "ab"}, "lines is 'ab', expected a list"),
        ({"table": {"k": 1 << 70}}, "table['k'] is"),
        ({"table": []}, "table is [], expected an object"),
        ({"content": "?"}, "content is '?', expected base64"),
        ({"path": "a\0"}, "path is 'a\\x00', expected a path"),
        ({"mode": "half"}, "mode is 'half', expected one of on, off"),
        ({"flag": 1}, "flag is 1, expected true or false"),
        ({"schema": "labctl/whole/v2"}, "it does not call itself one"),
    ],
)
def test_what_a_type_does_not_allow_is_refused_by_the_reader_and_by_the_schema(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        reader.read(json.dumps(GOOD | changed), Whole)
    # A schema asks for no base64 and bounds no count, and jsonschema lets a line end pass for an end.
    for_the_reader = [{"content": "?"}, {"path": "a\0"}, {"name": "a\n"}, {"table": {"k": 1 << 70}}]
    assert Draft202012Validator(schema.of(Whole)).is_valid(GOOD | changed) == (changed in for_the_reader)


@pytest.mark.parametrize("missing", [name for name in GOOD if name != "added"])
def test_a_field_that_is_missing_is_refused_by_both(missing: str) -> None:
    without = {name: each for name, each in GOOD.items() if name != missing}
    assert not Draft202012Validator(schema.of(Whole)).is_valid(without)
    with pytest.raises(ValueError, match=r"is missing|does not call itself one"):
        reader.read(json.dumps(without), Whole)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "null", "{", "1" * 5000])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        reader.read(text, Whole)


def test_a_type_that_json_has_no_form_for_is_a_mistake_in_the_code() -> None:
    with pytest.raises(TypeError, match="complex"):
        schema._Shapes().of(complex)
    assert schema._Shapes().of(datetime) == {"$ref": "#/$defs/time"}
