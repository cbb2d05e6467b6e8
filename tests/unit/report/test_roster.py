"""A teacher's spreadsheet has a row for each attempt, and no formula that a student wrote."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from labctl.report.grading.roster import roster
from tests.unit.report.formats import controls
from tests.unit.report.grades import graded, grades

if TYPE_CHECKING:
    from labctl.commands.grade import Grade


def rows(result: Grade) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(roster(result), newline="")))


def test_each_attempt_is_a_row_with_its_score_and_each_checks_verdict() -> None:
    ben = rows(graded())[1]
    assert ben == {
        "id": "ben",
        "verdict": "failed",
        "score": "2.5",
        "max_score": "10",
        "percent": "25.0",
        "seed": "5eed",
        "seed_from": "roster",
        "seconds": "3.2",
        "check:mx-resolves": "passed",
        "check:letter-arrives": "failed",
        "check:bounce-returns": "blocked",
        "check:later": "skipped",
        "check:no-open-relay": "failed",
        "explanation": "letter-arrives: expected: the letter is delivered",
    }


def test_an_attempt_of_which_the_grader_broke_has_no_score_and_a_rejected_one_has_zero() -> None:
    found = {each["id"]: (each["score"], each["percent"], each["explanation"]) for each in rows(graded())}
    assert found["eve"] == ("", "", "the engine went away")
    assert found["cat"][:2] == ("", "")
    assert found["dan"] == ("0", "0.0", "CoreDNS refuses the zone")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\r=", "\n=", "＝", "\x0b="])  # noqa: RUF001
def test_what_a_spreadsheet_would_take_for_a_formula_is_text(start: str) -> None:
    first = graded().attempts[4]
    junk = f'{start}HYPERLINK("http://x")'
    result = replace(graded(), attempts=(replace(first, id=junk, seed=junk, explanation=junk),))
    [row] = rows(result)
    for key in ("id", "seed", "explanation"):
        assert row[key][0] not in "=+-@＝ \t\r\n"  # noqa: RUF001


@given(grades())
def test_whatever_a_student_writes_a_row_is_a_line_that_ends_with_lf(result: Grade) -> None:
    written = roster(result)
    assert written.count("\n") == len(result.attempts) + 1
    assert written.endswith("\n")
    assert controls(written) == set()
    parsed = list(csv.reader(io.StringIO(written, newline="")))
    assert len({len(each) for each in parsed}) == 1
