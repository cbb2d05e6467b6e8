"""Gradescope gets a score with its reasons, shows nobody a hidden check, and makes no zero of what broke."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given

from labctl.grading.verdict import AttemptVerdict
from labctl.report.grading.gradescope import gradescope
from tests.unit.report.formats import controls, texts, validate
from tests.unit.report.grades import graded, grades

if TYPE_CHECKING:
    from labctl.commands.grade import Grade


def written(name: str) -> dict[str, Any]:
    result = graded()
    attempt = next(each for each in result.attempts if each.id == name)
    content: dict[str, Any] = json.loads(gradescope(attempt, result.title))
    return content


def test_the_score_of_the_whole_and_of_each_check_is_there_with_what_it_was_made_from() -> None:
    content = written("ben")
    assert content["score"] == 2.5
    assert [each["score"] for each in content["tests"]] == [2, 0, 0.5, 0, 0]
    assert [each.get("status") for each in content["tests"]] == ["passed", "failed", "failed", None, "failed"]
    assert (content["extra_data"]["seed"], content["extra_data"]["seed_from"]) == ("5eed", "roster")
    assert content["output"].startswith("A zone of one's own: failed, 2.5 of 10, seed 5eed, the roster's")


def test_a_check_says_why_it_failed_with_evidence_and_hint_and_a_blocked_one_for_what_it_waits() -> None:
    _, failed, blocked, *_ = written("ben")["tests"]
    assert "    alice@alpha.test sends\n      451 4.3.0" in failed["output"]
    assert failed["output"].endswith("hint: dig mail.beta.test: where does the relay deliver?")
    assert (blocked["output"], blocked["tags"]) == ("blocked by letter-arrives", ["blocked"])


def test_a_hidden_check_is_hidden_and_nothing_else_tells_of_it() -> None:
    content = written("ben")
    assert [each["visibility"] for each in content["tests"]] == ["visible"] * 4 + ["hidden"]
    del content["tests"][4]
    assert "relay" not in texts(content).replace("where does the relay deliver", "")
    assert "connect from" not in texts(content)


def test_a_rejected_attempt_has_no_points_and_says_where_and_why() -> None:
    content = written("dan")
    assert (content["score"], content["tests"]) == (0, [])
    assert "beta.test.zone:3: CoreDNS refuses the zone\n    plugin/file: dns: not a TTL" in content["output"]


@given(grades())
def test_whatever_a_student_writes_it_is_a_result_and_an_error_has_no_score_anywhere(result: Grade) -> None:
    for attempt in result.attempts:
        content = json.loads(gradescope(attempt, result.title))
        validate(content, "gradescope")
        assert controls(texts(content)) == set()
        scores = [each["score"] for each in (content, *content["tests"]) if "score" in each]
        if attempt.verdict == AttemptVerdict.ERROR:
            assert scores == []
            assert not any("status" in each for each in content["tests"])
            assert "this is no score" in content["output"]
        else:
            assert len(scores) == 1 + len(attempt.checks)
