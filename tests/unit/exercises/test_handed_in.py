"""What was handed in, as checks read it: data, whose errors are the student's."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import GradingError, UsageError
from labctl.exercises.result.narration import Narrator
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.vocabulary.handedin import HandedIn

if TYPE_CHECKING:
    from pathlib import Path

LAB = """
id = "tiny"
title = "Tiny"
topology = "two-domains"
[[editable]]
path = "answers.toml"
"""


def to_text(pieces: list[str]) -> bytes:
    return "".join(pieces).encode()


def handed_in(content: bytes) -> tuple[HandedIn, Narrator]:
    narrator = Narrator()
    return HandedIn({"answers.toml": content}, narrator), narrator


def test_a_file_is_text_or_toml() -> None:
    attempt, narrator = handed_in('greeting = "grüß dich"\n'.encode())
    assert attempt.text("answers.toml") == 'greeting = "grüß dich"\n'
    assert attempt.toml("answers.toml") == {"greeting": "grüß dich"}
    assert [each.text for each in narrator.steps] == [
        "Read answers.toml",
        "Read answers.toml, which is TOML (toml.io)",
    ]


@pytest.mark.parametrize(
    ("content", "line", "evidence"),
    [
        (b"a = 1\nb = \nc = 3\n", 2, ("answers.toml:2: b = ",)),
        (b'a = "never closed', 1, ('answers.toml:1: a = "never closed',)),
        (b"a = 1\n# \xff\n", 2, ()),
        (b"a = 1\na = 2\n", 2, ("answers.toml:2: a = 2",)),
        (b"a = " + b"[" * 20_000, 1, None),
    ],
)
def test_what_is_no_toml_fails_the_check_with_its_line(
    content: bytes, line: int, evidence: tuple[str, ...] | None
) -> None:
    attempt, narrator = handed_in(content)
    with pytest.raises(ExpectationFailed) as caught:
        attempt.toml("answers.toml")
    assert caught.value.seen.startswith(f"answers.toml:{line}: ")
    assert evidence in {None, narrator.steps[0].evidence}


@pytest.mark.parametrize("content", [b"a = 1\nb = \n", b"a = 0x" + b"f" * 6_000, b"a = 1\n# \xff\n"])
def test_one_fault_of_a_file_is_told_once_and_pointed_to_by_the_other_checks(content: bytes) -> None:
    told: dict[str, str] = {}
    seen = []
    for check in ("letter-1", "letter-1", "letter-2"):
        narrator = Narrator()
        with pytest.raises(ExpectationFailed) as caught:
            HandedIn({"answers.toml": content}, narrator, check, told).toml("answers.toml")
        seen.append((caught.value.seen, narrator.steps[0].evidence))
    assert seen[0] == seen[1]
    assert seen[0][0].startswith("answers.toml:")
    assert seen[2] == ("it is not, as letter-1 tells", ())


@given(
    st.one_of(
        st.binary(), st.lists(st.sampled_from(["a", ".", "=", "[", "]", '"', "0xf", "\n"])).map(to_text)
    )
)
def test_any_bytes_are_a_table_or_fail_the_check_in_few_words(content: bytes) -> None:
    attempt, narrator = handed_in(content)
    with suppress(ExpectationFailed):
        assert str(attempt.toml("answers.toml"))
    assert sum(map(len, narrator.steps[0].evidence)) < 300
    assert narrator.steps[0].verdict != Verdict.ERROR


def test_a_file_that_the_lab_does_not_ask_for_is_the_check_s_error() -> None:
    with pytest.raises(GradingError, match=r"asks for no other.toml: handed in are answers.toml"):
        handed_in(b"")[0].text("other.toml")


def test_outside_an_exam_it_is_read_from_a_directory_by_the_lab_around_the_check(tmp_path: Path) -> None:
    check = tmp_path / "lab" / "checks" / "test_it.py"
    check.parent.mkdir(parents=True)
    (tmp_path / "lab" / "lab.toml").write_text(LAB)
    attempt = tmp_path / "attempt"
    with pytest.raises(UsageError):
        HandedIn.read(attempt, check, Narrator())
    attempt.mkdir()
    with pytest.raises(ExpectationFailed, match=r"answers\.toml"):
        HandedIn.read(attempt, check, Narrator())
    (attempt / "answers.toml").write_text("a = 1\n")
    assert HandedIn.read(attempt, check, Narrator()).toml("answers.toml") == {"a": 1}
    with pytest.raises(GradingError):
        HandedIn.read(attempt, tmp_path / "test_it.py", Narrator())
