"""Steps: what is told of them, and to whom."""

from __future__ import annotations

import pytest

from labctl.exercises.result.narration import Narrator, Step
from labctl.exercises.result.verdict import Verdict


class Diary:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begins(self, text: str) -> None:
        self.told.append(f"begins {text}")

    def ended(self, step: Step) -> None:
        self.told.append(f"{step.verdict} {step.text}")


def test_a_step_is_told_when_it_begins_and_when_it_is_over() -> None:
    diary = Diary()
    narrator = Narrator(diary)
    with narrator.step("Send"):
        assert diary.told == ["begins Send"]
    assert diary.told == ["begins Send", "passed Send"]


def test_a_steps_evidence_is_kept_line_by_line() -> None:
    narrator = Narrator()
    with narrator.step("Send") as evidence:
        evidence.append("250-mx\n250 Ok")
    assert narrator.steps[0].evidence == ("250-mx", "250 Ok")


def test_what_is_done_within_a_step_is_none_of_its_own() -> None:
    narrator = Narrator()
    with narrator.step("Expect") as outer, narrator.step("Read") as inner:
        inner.append("seen")
    assert outer == ["seen"]
    assert [step.text for step in narrator.steps] == ["Expect"]


def see_and_raise(narrator: Narrator, error: BaseException) -> None:
    with narrator.step("Expect") as evidence:
        evidence.append("seen before")
        raise error


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(AssertionError(), Verdict.FAILED), (ValueError(), Verdict.ERROR), (KeyboardInterrupt(), Verdict.ERROR)],
)
def test_an_expectation_that_is_not_met_failed_and_all_else_is_an_error(
    error: BaseException, verdict: Verdict
) -> None:
    narrator = Narrator()
    with pytest.raises(type(error)):
        see_and_raise(narrator, error)
    with narrator.step("Tidy up"):
        pass
    told = [(step.verdict, step.evidence) for step in narrator.steps]
    assert told == [(verdict, ("seen before",)), (Verdict.PASSED, ())]
