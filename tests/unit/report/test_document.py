"""Results as JSON, whatever they hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import InvalidLabFile
from labctl.report.document import document, dumped, error_document

if TYPE_CHECKING:
    from collections.abc import Mapping


class Taste(StrEnum):
    SWEET = "sweet"


@dataclass(frozen=True, slots=True)
class Inner:
    from_: str


@dataclass(frozen=True, slots=True)
class Outer:
    SCHEMA: ClassVar = "labctl/outer/v1"

    value: Any


def written(value: Any) -> Any:
    """Return a value as a strict parser reads it from a document's text."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(dumped(document(Outer(value))), parse_constant=refuse)["value"]


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]))
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner) | st.tuples(inner),
)


@given(anything)
def test_whatever_a_result_holds_its_document_is_json_that_any_parser_takes(value: Any) -> None:
    written(value)
    dumped(document(Outer(value))).encode("ascii")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_through_as_it_was(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("\udc80caf\xe9", "\ufffdcaf\xe9"),
        (Taste.SWEET, "sweet"),
        (Path("/tmp/x"), "/tmp/x"),  # noqa: S108  # only a name
        (("a", ("b",)), ["a", ["b"]]),
        ({1: Inner("x")}, {"1": {"from": "x"}}),
        (float("nan"), None),
        (float("-inf"), None),
        (True, True),
    ],
)
def test_a_value_is_written_as_json_knows_it(value: Any, wanted: Any) -> None:
    assert written(value) == wanted


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00.000000Z"),
        (datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2026-02-28T23:30:00.000000Z"),
        (datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC), "2026-03-01T12:00:00.000001Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_is_in_utc_with_six_decimals_whatever_its_zone_or_year(moment: datetime, wanted: str) -> None:
    assert written(moment) == wanted


def test_an_errors_details_are_written_like_any_value(valid_document: Any) -> None:
    error = InvalidLabFile("odd \udcff", path=Path("lab.toml"), line=3, hint="edit lab.toml")
    content: Mapping[str, Any] = json.loads(dumped(error_document(error)))
    valid_document(content)
    assert content["code"] == "invalid-lab-file"
    assert content["message"] == "lab.toml:3: odd \ufffd"
    assert content["detail"] == {"path": "lab.toml", "line": 3}


@pytest.mark.parametrize("said", ["##[add-mask]e", "a ###[stop-commands]x", "\\##[error]owned"])
def test_no_line_of_a_document_is_a_command_to_the_runner_of_github(said: str) -> None:
    text = dumped({"said": said, said: [said]})
    assert "##[" not in text
    assert json.loads(text) == {"said": said, said: [said]}
