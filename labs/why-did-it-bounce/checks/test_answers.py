"""Whether a student knows why letters did not arrive: they are sent once more, and what happens counts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import scenario

from labctl.errors import NoSuchHost

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.handedin import HandedIn
    from labctl.exercises.vocabulary.lab import ExerciseLab

QUESTIONS: Final = {
    "host": "which host said no",
    "code": "the enhanced status code",
    "over": "whether it is over",
    "remedy": "what helps",
}
WORDS: Final = {True: "yes", False: "no"}


def test_letter_1(lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Letter 1: who said no, with which code, whether it is over, and what helps."""
    must_be_explained(1, lab, attempt, chance)


def test_letter_2(lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Letter 2: who said no, with which code, whether it is over, and what helps."""
    must_be_explained(2, lab, attempt, chance)


def test_letter_3(lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Letter 3: who said no, with which code, whether it is over, and what helps."""
    must_be_explained(3, lab, attempt, chance)


def test_letter_4(lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Letter 4: who said no, with which code, whether it is over, and what helps."""
    must_be_explained(4, lab, attempt, chance)


def test_letter_5(lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Letter 5: who said no, with which code, whether it is over, and what helps."""
    must_be_explained(5, lab, attempt, chance)


def test_letter_6(lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Letter 6: who said no, with which code, whether it is over, and what helps."""
    must_be_explained(6, lab, attempt, chance)


def must_be_explained(number: int, lab: ExerciseLab, attempt: HandedIn, chance: Chance) -> None:
    """Send a letter once more, and compare what becomes of it with the answers.

    Raises:
        ExpectationFailed: Not all are right; it says which, and not what would be.
    """
    answers = given(attempt, number, lab)
    if empty := [QUESTIONS[each] for each in QUESTIONS if not answers[each]]:
        raise lab.fail(f"four answers about letter {number}", f"not answered: {', '.join(empty)}")
    if answers["remedy"] not in scenario.REMEDIES:
        raise lab.fail(
            f"for the remedy one of these words: {', '.join(scenario.REMEDIES)}", f"“{answers['remedy']}”"
        )
    draft = scenario.drafts(chance.of("post"))[number - 1]
    with lab.narrator.step(f"Send letter {number}, and see what becomes of it") as evidence:
        found = scenario.outcome(lab, draft, draft.send(lab))
        evidence.clear()  # it would tell the answers
    right = {
        "host": found.host,
        "code": found.code,
        "over": WORDS[found.over],
        "remedy": draft.kind.remedy,
    }
    if wrong := [
        f"{QUESTIONS[each]}: not “{answers[each]}”" for each in right if answers[each] != right[each]
    ]:
        raise lab.fail(f"what really became of letter {number}", "; ".join(wrong))


def given(attempt: HandedIn, number: int, lab: ExerciseLab) -> dict[str, str]:
    """Return a student's answers about a letter, empty where there is none, and the host by its full name."""
    section = attempt.toml("answers.toml").get(f"letter-{number}")
    said = section if isinstance(section, dict) else {}
    answers = {each: said.get(each, "") for each in QUESTIONS}
    texts = {
        each: WORDS[answer] if isinstance(answer, bool) else str(answer).strip().casefold()
        for each, answer in answers.items()
    }
    host = texts["host"].rstrip(".")
    with suppress(NoSuchHost):
        host = lab.host(lab.there.names_by_address.get(host, host)).hostname
    return texts | {"host": host}
