"""What one student writes into his settings costs nobody else the grading."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from labctl.commands.grade import Wish, prepare
from labctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.errors import LabctlError

BOMB = f'lab = "fix-the-mx"\nx{".a" * 30_000} = 1\n'
FIX, RELAY = 'lab = "fix-the-mx"', 'lab = "relay-closed"'


def attempts(directory: Path, *settings: str | None) -> tuple[Path, ...]:
    found = []
    for n, text in enumerate(settings):
        (path := directory / str(n)).mkdir()
        if text is not None:
            (path / "labctl.toml").write_text(text)
        found.append(path)
    return tuple(found)


def refused(directory: Path, *settings: str | None) -> LabctlError:
    with pytest.raises(UsageError) as caught:
        prepare(Wish(attempts(directory, *settings)), {})
    return caught.value


@pytest.mark.parametrize(
    "other", [BOMB, None, "lab = ", 'lab = "no such name"', RELAY, 'lab = "nosuch"', "\0"]
)
def test_the_lab_is_the_one_that_most_attempts_name(tmp_path: Path, other: str | None) -> None:
    prepare(Wish(attempts(tmp_path, other, FIX, FIX)), {})


def test_where_none_is_named_by_most_the_user_has_to_say_which(tmp_path: Path) -> None:
    said = refused(tmp_path, FIX, RELAY)
    assert said.message == "these are attempts at fix-the-mx, relay-closed: one lab at a time"
    assert said.hint == "--lab LAB"


def test_where_none_can_be_read_the_user_has_to_say_which(tmp_path: Path) -> None:
    assert "names its lab" in refused(tmp_path, BOMB, None).message


def test_what_is_wrong_with_the_settings_of_the_only_attempt_is_told_with_its_line(tmp_path: Path) -> None:
    assert "labctl.toml is no TOML: line 2: a key of more than 16 parts" in refused(tmp_path, BOMB).message


@pytest.mark.parametrize("option", ["out", "seeds"])
@pytest.mark.parametrize("place", ["1", "1/graded", "elsewhere/../1/graded", "link/graded"])
def test_nothing_is_kept_or_believed_where_a_student_could_have_put_it(
    tmp_path: Path, option: str, place: str
) -> None:
    given = attempts(tmp_path, FIX, FIX)
    (tmp_path / "link").symlink_to("1")
    wish = replace(Wish(given), **cast("Any", {option: tmp_path / place}))
    with pytest.raises(UsageError, match=f"--{option} .* lies in the attempt .*/1"):
        prepare(wish, {})
