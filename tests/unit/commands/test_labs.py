from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.commands.labs import Row, labs
from labctl.errors import InvalidLabFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeLab = Callable[..., Path]


def row(directory: Path) -> Row:
    found = labs({"LABCTL_LABS": str(directory.parent)}).labs
    return next(each for each in found if each.id == directory.name)


def test_a_lab_that_ships_is_listed() -> None:
    found = {each.id: each for each in labs({}).labs}
    assert found["two-domains"].title == "Mail between two domains"
    assert found["two-domains"].topology == "two-domains"


def test_a_lab_without_checks_has_no_scores(make_lab: MakeLab) -> None:
    assert row(make_lab("demo")) == Row("demo", "The lab demo", "two-domains", 0, False, None, None)  # noqa: FBT003  # as a row reads


def test_a_graded_lab_has_its_scores(make_lab: MakeLab) -> None:
    checks = '[[checks]]\nid = "a"\npoints = 2\n[[checks]]\nid = "b"\npoints = 0.5\n'
    more = f"[grading]\nstarter_score = 1\n{checks}"
    found = row(make_lab("demo", more))
    assert (found.gradable, found.max_score, found.starter_score) == (True, 2.5, 1)


def test_checks_without_a_word_on_grading_have_no_starter_score(make_lab: MakeLab) -> None:
    found = row(make_lab("demo", '[[checks]]\nid = "a"\npoints = 2\n'))
    assert (found.gradable, found.max_score, found.starter_score) == (True, 2, None)


def test_exercises_are_counted_without_being_run(make_lab: MakeLab) -> None:
    directory = make_lab("demo")
    (directory / "exercises" / "test_one.py").write_text(
        "import nothing_of_this_name\n"
        "raise SystemExit\n"
        "def test_a(): ...\n"
        "def test_b(lab):\n    def test_inner(): ...\n"
        "def helper(): ...\n"
        "TEST_C = 1\n"
    )
    (directory / "exercises" / "test_two.py").write_text("def test_d(): ...\n")
    (directory / "exercises" / "conftest.py").write_text("def test_e(): ...\n")
    (directory / "exercises" / "notes.txt").write_text("def test_f(): ...\n")
    assert row(directory).exercises == 3


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"def test_a(): ...\n\ndef test_b(:\n", 3),
        (b"x = '''\n", 1),
        (b"def test_a():\nreturn 1\n", 2),
    ],
)
def test_a_file_of_exercises_that_is_no_python_is_named_with_its_line(
    make_lab: MakeLab, content: bytes, line: int
) -> None:
    path = make_lab("demo") / "exercises" / "test_one.py"
    path.write_bytes(content)
    with pytest.raises(InvalidLabFile) as caught:
        row(path.parent.parent)
    assert (caught.value.path, caught.value.line) == (path, line)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("content", [b"x = '\xff'\n", b"\0", b"(" * 5000])
def test_a_file_of_exercises_that_can_not_be_read_is_named(make_lab: MakeLab, content: bytes) -> None:
    path = make_lab("demo") / "exercises" / "test_one.py"
    path.write_bytes(content)
    with pytest.raises(InvalidLabFile, match=r"test_one\.py.*can't be read"):
        row(path.parent.parent)


def test_a_broken_definition_is_told(make_lab: MakeLab) -> None:
    directory = make_lab("demo", "colour = 1\n")
    with pytest.raises(InvalidLabFile, match=r"lab\.toml:4"):
        row(directory)
