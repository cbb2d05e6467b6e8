from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from labctl.grading.job import Examination, Observation, Rejection
from labctl.grading.score import GradedAttempt, GradedCheck, graded
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import AttemptVerdict, CheckVerdict

if TYPE_CHECKING:
    from labctl.grading.gradedlab import GradedLab

P, F, B, S, E = (
    CheckVerdict.PASSED,
    CheckVerdict.FAILED,
    CheckVerdict.BLOCKED,
    CheckVerdict.SKIPPED,
    CheckVerdict.ERROR,
)


def seen(*verdicts: CheckVerdict) -> Examination:
    names = ("zone-answers", "mx-resolves", "mail-arrives")
    checks = tuple(
        Observation(name, name, verdict, 0.1) for name, verdict in zip(names, verdicts, strict=True)
    )
    return Examination("anna", "small", "00", 1.0, checks)


def test_an_attempt_that_passes_all_gets_all_points(graded_lab: GradedLab) -> None:
    found = graded(seen(P, P, P), graded_lab.checks)
    assert (found.verdict, found.score, found.max_score) == (AttemptVerdict.PASSED, 6, 6)
    assert not found.cached


def test_what_broke_is_an_error_and_no_zero_and_what_was_skipped_is_no_failure(graded_lab: GradedLab) -> None:
    nothing = replace(seen(P, P, P), checks=())
    gone = replace(nothing, broken="the engine is gone")
    found = [graded(each, graded_lab.checks) for each in (seen(P, P, E), nothing, gone, seen(P, P, S))]
    assert [each.verdict for each in found] == [*[AttemptVerdict.ERROR] * 3, AttemptVerdict.PASSED]
    assert found[2].explanation == "the engine is gone"


def test_a_check_that_failed_gives_nothing_and_a_blocked_one_what_its_author_says(
    graded_lab: GradedLab,
) -> None:
    found = graded(seen(P, F, B), graded_lab.checks)
    assert (found.verdict, [each.score for each in found.checks]) == (AttemptVerdict.FAILED, [1, 0, 0.5])


def test_an_attempt_with_a_blocked_check_has_not_passed(graded_lab: GradedLab) -> None:
    found = graded(seen(P, P, B), graded_lab.checks)
    assert (found.verdict, found.score) == (AttemptVerdict.FAILED, 3.5)


def test_a_hint_is_only_given_where_a_check_did_not_pass(graded_lab: GradedLab) -> None:
    heeded = tuple(replace(each, hint=f"look at {each.id}") for each in graded_lab.checks)
    found = graded(seen(P, F, B), heeded)
    assert [each.hint for each in found.checks] == ["", "look at mx-resolves", "look at mail-arrives"]


def test_a_rejected_attempt_gets_no_points_and_says_why(graded_lab: GradedLab) -> None:
    rejection = Rejection("missing-file", "the attempt has no beta.test.zone", "put it there")
    found = graded(replace(seen(P, P, P), rejection=rejection), graded_lab.checks)
    assert (found.verdict, found.score, found.max_score) == (AttemptVerdict.REJECTED, 0, 6)
    assert found.rejection == rejection
    assert found.explanation == "the attempt has no beta.test.zone"


def test_other_weights_need_no_other_examination(graded_lab: GradedLab) -> None:
    heavier = tuple(replace(each, points=each.points * 10) for each in graded_lab.checks)
    assert graded(seen(P, F, F), heavier).score == 10


def test_hidden_checks_are_marked(graded_lab: GradedLab) -> None:
    found = graded(seen(P, P, P), graded_lab.checks, hidden=frozenset({"mx-resolves"}))
    assert [each.hidden for each in found.checks] == [False, True, False]


def test_all_that_was_seen_is_told_with_what_it_is_worth(graded_lab: GradedLab) -> None:
    declared = tuple(replace(each, hint="look") for each in graded_lab.checks)
    told = "mx-resolves", "The MX resolves.", F, 0.5, "why", ("S: 550",), 2, "checks/test_beta.py", 7
    observed = Observation(*told)
    logs, remarks, whose = {"dns": ("a line",)}, ("a remark",), SeedFrom.ROSTER
    examined = Examination(
        "anna", "small", "0f", 2.5, (observed,), remarks=remarks, logs=logs, seed_from=whose
    )
    found = graded(examined, declared, hidden=frozenset({"mx-resolves"}), cached=True)
    check = GradedCheck(*told, score=0, max_score=2, hint="look", hidden=True)
    verdict = AttemptVerdict.FAILED
    assert found == GradedAttempt(
        "anna", verdict, 0, 6, "0f", 2.5, (check,), "", None, remarks, logs, cached=True, seed_from=whose
    )
