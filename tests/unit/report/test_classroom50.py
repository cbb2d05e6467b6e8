"""Classroom 50 gets whole numbers, who it is of, and nothing at all where the grader broke."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from labctl.errors import GradingError, UsageError
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.grading.classroom50 import Identity, classroom50, identity
from tests.unit.report.formats import controls, texts, validate
from tests.unit.report.grades import graded, grades

if TYPE_CHECKING:
    from labctl.commands.grade import Grade

NOON = datetime(2026, 3, 1, 13, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
RUNNER = {
    "CLASSROOM": "mail-101",
    "ASSIGNMENT": "zones",
    "ASSIGNMENT_TYPE": "individual",
    "USERNAME": "ben",
    "SUBMISSION_TAG": "submit/2026-03-01T12-00-00Z-a1b2c3d",
    "COMMIT_URL": "https://github.com/o/r/commit/a1b2c3d",
    "RELEASE_URL": "https://github.com/o/r/releases/tag/x",
    "GITHUB_ACTOR": "ben",
    "GITHUB_ACTOR_ID": "4711",
}
BEN = identity(RUNNER, NOON)


def written(name: str, who: Identity = BEN) -> dict[str, Any]:
    attempt = next(each for each in graded().attempts if each.id == name)
    content: dict[str, Any] = json.loads(classroom50(attempt, who))
    return content


def test_it_says_whose_it_is_in_the_runners_words() -> None:
    content = written("ben")
    assert {key: content[key] for key in ("classroom", "assignment", "assignment_type", "owner")} == {
        "classroom": "mail-101",
        "assignment": "zones",
        "assignment_type": "individual",
        "owner": "ben",
    }
    assert content["review"] == content["commit"] == RUNNER["COMMIT_URL"]
    assert content["datetime"] == "2026-03-01T12:00:00Z"
    assert content["submitted_by"] == {"username": "ben", "id": 4711}


@pytest.mark.parametrize(
    "missing", ["CLASSROOM", "ASSIGNMENT", "USERNAME", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL"]
)
def test_without_one_of_the_runners_variables_it_is_no_runner(missing: str) -> None:
    name = {"USERNAME": "OWNER"}.get(missing, missing)
    with pytest.raises(UsageError, match=name):
        identity({key: value for key, value in RUNNER.items() if key != missing}, NOON)


def test_points_that_are_whole_stay_as_they_are_and_others_become_hundredths() -> None:
    passed = written("ada")
    assert (passed["score"], passed["max-score"], passed["tests"][0]["scale"]) == (10, 10, 1)
    halved = written("ben")
    assert (halved["score"], halved["max-score"]) == (250, 1000)
    assert [each["score"] for each in halved["tests"]] == [200, 0, 50, 0, 0]
    assert {each["scale"] for each in halved["tests"]} == {100}


def test_a_hidden_check_has_points_and_no_name() -> None:
    content = written("ben")
    last = content["tests"][-1]
    assert (last["test-name"], last["score"], last["message"]) == ("hidden-1: Hidden check 1.", 0, "")
    assert "no-open-relay" not in texts(content)
    assert "quinn" not in texts(content)


def test_a_rejected_attempt_is_one_test_that_failed_with_all_points_lost() -> None:
    content = written("dan")
    assert (content["score"], content["max-score"]) == (0, 10)
    [only] = content["tests"]
    assert (only["passed"], only["message"]) == (False, "CoreDNS refuses the zone")
    assert "not a TTL" in only["output"]


def test_where_the_grader_broke_nothing_is_written_and_the_error_names_no_hidden_check() -> None:
    with pytest.raises(GradingError, match="the engine went away"):
        written("eve")
    eve, hidden = graded().attempts[4], graded().attempts[1].checks[4]
    broke = replace(eve, explanation="", checks=(replace(hidden, verdict=CheckVerdict.ERROR),))
    with pytest.raises(GradingError) as caught:
        classroom50(broke, BEN)
    assert "relay" not in caught.value.message
    assert caught.value.exit_code == 4


@given(grades())
def test_whatever_a_student_writes_it_is_a_result_whose_sums_are_right(result: Grade) -> None:
    who = Identity("c", "a", "o", "submit/1", "x", "y", "z", NOON)
    for attempt in result.attempts:
        if attempt.verdict == AttemptVerdict.ERROR:
            continue
        content = json.loads(classroom50(attempt, who))
        validate(content, "classroom50-result.v1")
        assert controls(texts(content)) == set()
        for key in ("score", "max-score"):
            assert content[key] == sum(each[key] for each in content["tests"])
        assert all(each["score"] <= each["max-score"] for each in content["tests"])
