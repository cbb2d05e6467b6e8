"""What a student and a teacher read of graded attempts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from labctl.commands.grade import Grade
from labctl.report.document import document, dumped
from labctl.report.grading.verdict import excerpt, fitting, points, withheld
from labctl.report.text import text
from tests.unit.report.formats import controls
from tests.unit.report.grades import graded, grades

if TYPE_CHECKING:
    from labctl.grading.score import GradedAttempt


def shown(name: str) -> str:
    """Return the text of one attempt alone."""
    return text(replace(graded(), attempts=(attempt(name),)))


def attempt(name: str) -> GradedAttempt:
    return next(each for each in graded().attempts if each.id == name)


def loud(size: int) -> GradedAttempt:
    """Return an attempt with so many characters of evidence."""
    ben = attempt("ben")
    return replace(ben, checks=(replace(ben.checks[1], evidence=("x" * size,)),))


def test_a_failed_check_is_told_with_its_points_why_its_evidence_and_the_hint() -> None:
    lines = shown("ben").splitlines()
    at = next(n for n, line in enumerate(lines) if "letter-arrives" in line)
    assert lines[at : at + 6] == [
        "✗ letter-arrives    0 / 2  A letter to bob arrives.",
        "    expected: the letter is delivered",
        "          seen: it is deferred",
        "      | alice@alpha.test sends",
        "      |   451 4.3.0 <bob@beta.test>: no such host",
        "    hint: dig mail.beta.test: where does the relay deliver?",
    ]


def test_a_bug_of_a_check_is_what_there_is_to_mend() -> None:
    broke = replace(attempt("cat").checks[0], path="checks/test_zone.py", line=7)
    said = text(replace(graded(), attempts=(replace(attempt("cat"), checks=(broke,)),)))
    assert "  next: mend the check mx-resolves, checks/test_zone.py:7" in said.splitlines()[-1]


def test_where_a_hidden_check_raised_is_not_for_its_student() -> None:
    ben = attempt("ben")
    raised = replace(ben, checks=tuple(replace(each, path="test_x.py", line=7) for each in ben.checks))
    shown_to_student = withheld(raised).checks
    assert [each.path for each in shown_to_student if each.hidden] == [None]
    assert "test_x.py" not in str([each for each in shown_to_student if each.hidden])


def test_a_blocked_check_names_what_it_waits_for_and_gives_no_hint() -> None:
    said = shown("ben")
    assert (
        "· bounce-returns  0.5 / 2  A letter to nobody comes back.\n    blocked by letter-arrives\n" in said
    )
    assert "look at the bounce" not in said


def test_one_attempt_ends_with_its_points_its_seed_and_one_next_step() -> None:
    *_, note, total, following = shown("ben").splitlines()
    assert note == "note: 2 other files were ignored"
    assert total == "failed: 2.5 of 10, seed 5eed, the roster's, 3.2 s."
    assert following == "  next: begin with letter-arrives; 1 check waits for others"


def test_a_check_that_was_seen_only_in_the_second_examination_says_so() -> None:
    assert "seen in examination 2" in shown("ada")


def test_a_rejected_attempt_is_told_with_file_line_the_daemons_words_and_what_to_do() -> None:
    assert shown("dan").splitlines()[2:] == [
        "✗ beta.test.zone:3: CoreDNS refuses the zone",
        '      | plugin/file: dns: not a TTL: "MX" at line: 3:9',
        "",
        "rejected: 0 of 10, seed 5eed, the roster's, 3.2 s.",
        "  next: mend line 3, then grade it again",
    ]


@pytest.mark.parametrize("name", ["cat", "eve"])
def test_an_attempt_of_which_the_grader_broke_has_no_score_and_is_not_blamed(name: str) -> None:
    said = shown(name)
    assert "error: no score" in said
    assert "no fault of the attempt" in said


def test_many_attempts_are_a_table_by_id_with_the_counts_below() -> None:
    result = graded()
    lines = text(replace(result, attempts=result.attempts[::-1])).splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["ATTEMPT", "ada", "ben", "cat", "dan", "eve"]
    assert "letter-arrives, no-open-relay" in lines[2]
    assert lines[-1] == "1 passed, 1 failed, 1 rejected, 2 errors, in 12.5 s."


def test_no_attempts_at_all_are_told_too() -> None:
    assert text(Grade("zones", "Zones", (), 0)) == "No attempts, in 0.0 s."


def test_evidence_without_end_is_cut_and_says_so() -> None:
    ben = attempt("ben")
    long = replace(ben.checks[1], evidence=("x" * 1_000_000, *("y" for _ in range(1000))))
    said = text(Grade("zones", "Zones", (replace(ben, checks=(long,)),), 0))
    assert len(said) < 3000
    assert "more lines; --json has them" in said
    assert max(map(len, said.splitlines())) <= 100


@given(grades())
def test_whatever_a_student_writes_the_text_commands_no_terminal(result: Grade) -> None:
    for each in (result, *(replace(result, attempts=(one,)) for one in result.attempts)):
        assert controls(text(each)) == set()


@given(grades())
def test_whatever_a_student_writes_it_is_valid_json(result: Grade) -> None:
    content = json.loads(dumped(document(result)).encode("ascii"))
    assert [each["verdict"] for each in content["attempts"]] == [each.verdict for each in result.attempts]


def test_of_a_hidden_check_a_student_learns_only_that_it_is_there_and_its_points() -> None:
    ben = withheld(attempt("ben"))
    last = ben.checks[-1]
    assert (last.id, last.title, last.score, last.max_score) == ("hidden-1", "Hidden check 1.", 0, 2)
    assert (last.explanation, last.hint, last.evidence, ben.logs) == ("", "", (), {})
    assert ben.checks[:-1] == attempt("ben").checks[:-1]
    assert withheld(attempt("dan")) == attempt("dan")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0, "0"), (3.0, "3"), (2.5, "2.5"), (1 / 3, "0.33"), (100, "100"), (1e9, "1000000000")],
)
def test_points_have_no_fraction_that_says_nothing(value: float, wanted: str) -> None:
    assert points(value) == wanted


def test_an_excerpt_says_what_it_leaves_out() -> None:
    assert excerpt(["abc", "de"], 100) == ["abc", "de"]
    assert excerpt(["abcdef", "g"], 3) == ["abc [… 6 characters in all]", "[… 1 more lines]"]
    assert excerpt(["a", "b"], 0) == ["[… 2 more lines]"]
    assert excerpt([], 0) == []


def test_a_line_of_an_excerpt_is_one_line() -> None:
    assert excerpt(["a\nb\x1b"], 100) == ["a\\nb\\x1b"]


def test_a_report_has_the_most_evidence_that_its_readers_take() -> None:
    nothing, much = Grade("zones", "", (), 0), replace(graded(), attempts=(loud(100_000),))
    assert len(fitting(lambda room: "é" * room, nothing, 10_000)) == 4_000
    assert fitting(lambda room: "x" * 10 + "y" * room, nothing, 5) == "x" * 10
    assert fitting(str, much, 10_000) == "4000"
