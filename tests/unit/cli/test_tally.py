from __future__ import annotations

import io
from dataclasses import replace

import pytest

from labctl.cli.tally import Tally
from labctl.grading.score import GradedAttempt
from labctl.grading.verdict import AttemptVerdict

ANNA = GradedAttempt("anna", AttemptVerdict.PASSED, 12, 12, "00", 3.0, (), "", None, (), {})


def told(
    *attempts: GradedAttempt, environ: dict[str, str] | None = None, all_of: int | None = None
) -> list[str]:
    stream = io.StringIO()
    tally = Tally(stream, environ or {})
    tally.starts(all_of or len(attempts), 2)
    for each in attempts:
        tally.begins(each.id)
        tally.ended(each)
    tally.close()
    return stream.getvalue().splitlines()


def test_each_attempt_has_a_row_with_its_number() -> None:
    assert told(ANNA, replace(ANNA, id="bert"))[1:] == [
        "1/2  anna  passed  12 of 12  [1 to go, about 0 s]",
        "2/2  bert  passed  12 of 12",
    ]


def test_who_grades_one_attempt_sees_that_something_is_going_on() -> None:
    assert told(ANNA)[0] == "anna: being examined in a laboratory"


def test_what_was_known_before_is_said_and_tells_nothing_of_the_time_left() -> None:
    assert told(replace(ANNA, cached=True), all_of=2)[1:] == ["1/2  anna  passed  12 of 12  (as before)"]


def test_an_error_is_no_zero() -> None:
    broken = replace(ANNA, verdict=AttemptVerdict.ERROR, score=0, explanation="the engine is gone\nby itself")
    assert told(broken)[1:] == ["1/1  anna  error  no score  the engine is gone"]


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\r::error::x"])
def test_what_a_student_wrote_stays_on_its_line(text: str) -> None:
    rows = told(replace(ANNA, id=text, explanation=text))
    assert len(rows) == 2
    assert not any("\x1b" in each or "\r" in each for each in rows)


def test_in_a_job_of_github_nothing_that_is_told_is_a_command() -> None:
    rows = told(replace(ANNA, id="::error::owned"), environ={"GITHUB_ACTIONS": "true"})
    first, last = rows[0], rows[-1]
    assert first.startswith("::stop-commands::")
    assert last == f"::{first.removeprefix('::stop-commands::')}::"
