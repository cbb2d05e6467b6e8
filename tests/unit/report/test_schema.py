"""Every document is what its schema says, and the schemas refuse what is not."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

import labctl
from labctl.contract import published
from labctl.errors import NoSuchHost
from labctl.report import schemawriter
from labctl.report.document import document, dumped, error_document
from tests.documents import Place, altered, places, value_at

type_of_check = Callable[[Mapping[str, Any]], None]

OTHERS = {"labctl/error/v1", "labctl/examination/v1", "labctl/examination-job/v1"}
COMMANDS = [each for each in published.names() if each not in OTHERS]


def settled(content: dict[str, Any]) -> list[Place]:
    """Return the places of a document but for those in what is free to be anything; of places alike, one.

    Which one of a list it is in tells no place from another.
    """
    settled = [each for each in places(content) if not {"detail", "logs", "json_schema"} & {*each[:-1]}]
    steps = [tuple(int if isinstance(step, int) else step for step in place) for place in settled]
    kinds = zip(steps, (type(value_at(content, place)) for place in settled), strict=True)
    return [*dict(zip(kinds, settled, strict=True)).values()]


def with_another_type(content: dict[str, Any], place: Place) -> dict[str, Any]:
    is_list = isinstance(value_at(content, place), list)
    return altered(content, place, {"wrong": 1} if is_list else [{"wrong": 1}])


def passes(check: type_of_check, content: Mapping[str, Any]) -> bool:
    try:
        check(content)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", published.names())
def test_a_schema_is_a_schema_of_its_draft_and_names_its_document(name: str) -> None:
    content = published.load(name)
    Draft202012Validator.check_schema(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert content["properties"]["schema"] == {"const": name}


def test_the_published_schemas_are_those_that_are_made_of_the_results() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in schemawriter.DIRECTORY.glob("*.json")}
    assert there == schemawriter.texts(), "python -m labctl.report.schemawriter writes them anew"


def test_each_result_in_the_code_is_a_document_with_a_schema_of_its_own() -> None:
    in_code = [
        ast.literal_eval(node.value)
        for path in Path(labctl.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "SCHEMA" and node.value
    ]
    assert sorted(each for each in in_code if each.startswith("labctl/")) == list(published.names())


def test_a_name_that_is_none_of_a_schema_is_refused() -> None:
    with pytest.raises(KeyError):
        published.load("labctl/../up/v1")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_result_becomes_a_document_that_its_schema_accepts_after_a_trip_through_text(
    name: str, examples: dict[str, Any], valid_document: type_of_check
) -> None:
    valid_document(json.loads(dumped(document(examples[name]))))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_document_without_one_of_its_fields_or_with_another_type_in_it_is_refused(
    name: str, examples: dict[str, Any], valid_document: type_of_check
) -> None:
    good = document(examples[name])
    accepted = [
        place
        for place in settled(good)
        if place != ("schema",)
        if (isinstance(place[-1], str) and passes(valid_document, altered(good, place)))
        or passes(valid_document, with_another_type(good, place))
    ]
    assert accepted == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_document_may_have_more_fields_than_its_schema_knows(
    name: str, examples: dict[str, Any], valid_document: type_of_check
) -> None:
    good = document(examples[name])
    for place in settled(good):
        if isinstance(value_at(good, place), dict) and place[-1] != "logs":
            valid_document(altered(good, (*place, "added_later"), 1))
    valid_document({**good, "added_later": 1})


@pytest.mark.parametrize(
    ("name", "path", "wrong"),
    [
        ("status", ("state",), "up"),
        ("status", ("hosts", 0, "state"), "degraded"),
        ("status", ("hosts", 0, "role"), "router"),
        ("status", ("hosts", 0, "domain"), "lab.test"),
        ("status", ("hosts", 1, "addresses"), ["203.0.113.10/24"]),
        ("status", ("endpoints", 0, "protocol"), "http"),
        ("status", ("endpoints", 0, "tls"), "yes"),
        ("status", ("endpoints", 0, "port"), 0),
        ("up", ("status", "state"), "up"),
        ("up", ("name",), "Not-A-Name"),
        ("list", ("labs", 0, "created_at"), "2026-03-01T12:00:00Z"),
        ("list", ("labs", 0, "created_at"), "2026-03-01T12:00:00.250000+00:00"),
        ("send", ("message_id",), "177.1@alpha.test"),
        ("send", ("accepted_at",), "2026-03-01 12:00:00.250000Z"),
        ("send", ("state",), "sent"),
        ("send", ("to",), []),
        ("inbox", ("protocol",), "IMAP"),
        ("inbox", ("messages", 0, "dsn"), {}),
        ("inbox", ("messages", 1, "is_dsn"), False),
        ("inbox", ("messages", 0, "uid"), 0),
        ("queue", ("hosts", 0, "messages", 0, "queue_name"), "bounce"),
        ("queue", ("hosts", 0, "messages", 0, "arrival_time"), 1772366400),
        ("queue", ("hosts", 0, "messages", 0, "next_try_at"), "in 2 s"),
        ("queue", ("hosts", 0, "messages", 0, "real_wait"), -1),
        ("doctor", ("checks", 0, "state"), "fine"),
        ("doctor", ("checks", 1, "hint"), None),
        ("labs", ("labs", 0, "max_score"), 10),
        ("labs", ("labs", 1, "max_score"), None),
        ("dig", ("rcode",), "no such name"),
        ("grade", ("attempts", 0, "verdict"), "blocked"),
        ("grade", ("attempts", 0, "checks", 0, "verdict"), "rejected"),
        ("grade", ("attempts", 0, "checks", 0, "tries"), 0),
        ("grade", ("attempts", 0, "verdict"), "rejected"),
        ("grade", ("attempts", 3, "rejection"), None),
        ("grade", ("attempts", 3, "score"), 1),
        ("grade", ("attempts", 1, "logs", "mx-beta"), "one line"),
        ("engine", ("state",), "up"),
    ],
)
def test_a_value_that_the_contract_does_not_know_is_refused(
    name: str, path: Place, wrong: Any, examples: dict[str, Any], valid_document: type_of_check
) -> None:
    with pytest.raises(ValidationError):
        valid_document(altered(document(examples[f"labctl/{name}/v1"]), path, wrong))


def test_an_error_becomes_a_document_of_which_nothing_may_be_missing_or_empty(
    valid_document: type_of_check,
) -> None:
    good = error_document(NoSuchHost("no host 'x'", hint="labctl status", detail={"line": None}))
    valid_document(good)
    for field in ("code", "message", "hint"):
        for wrong in ("", "  ", None):
            assert not passes(valid_document, {**good, field: wrong})
    assert not passes(valid_document, {**good, "detail": None})
    assert not passes(valid_document, {key: value for key, value in good.items() if key != "detail"})
