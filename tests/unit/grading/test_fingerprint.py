from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.grading import fingerprint, gradedlab
from labctl.lab.blueprint import definition
from tests.unit.grading.conftest import CHECKS, LAB, write_lab

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = ("labctl/mta:1", "labctl/dns:1")


def key(directory: Path, images: tuple[str, ...] = IMAGES) -> str:
    return fingerprint.of_lab(gradedlab.load(definition.load(directory)), images)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("points = 2", "points = 20"),
        ('hint = "labctl dig beta.test MX"', 'hint = "look"'),
        ('title = "A small lab"', 'title = "Another"'),
        ("points_if_blocked = 0.5", ""),
    ],
)
def test_other_weights_and_words_see_the_same(tmp_path: Path, before: str, after: str) -> None:
    assert key(write_lab(tmp_path / "a")) == key(write_lab(tmp_path / "b", LAB.replace(before, after)))


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("README.md", True),
        ("solution/beta.test.zone", True),
        ("mutants/a/mutant.toml", True),
        ("variants/a/variant.toml", True),
        ("scenario.py", False),
    ],
)
def test_what_an_examination_reads_changes_the_key_and_nothing_else_does_nor_where_the_lab_lies(
    tmp_path: Path, name: str, *, alike: bool
) -> None:
    before = key(write_lab(tmp_path / "a"))
    path = write_lab(tmp_path / "deeper" / "b") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("other", encoding="utf-8")
    assert (key(tmp_path / "deeper" / "b") == before) == alike


@pytest.mark.parametrize(
    ("text", "checks", "images"),
    [
        (LAB, CHECKS + "\n", IMAGES),
        (LAB.replace('needs = ["zone-answers"]', ""), CHECKS, IMAGES),
        (LAB + '\n[clock]\nqueue_run_delay = ["5m", "2s"]\n', CHECKS, IMAGES),
        (LAB + "\n[grading.limits]\nseconds = 9\n", CHECKS, IMAGES),
        (LAB, CHECKS, ("labctl/mta:2", "labctl/dns:1")),
    ],
)
def test_whatever_may_change_what_is_seen_changes_the_key(
    tmp_path: Path, text: str, checks: str, images: tuple[str, ...]
) -> None:
    assert key(write_lab(tmp_path / "a")) != key(write_lab(tmp_path / "b", text, checks), images)


def test_no_file_passes_for_two() -> None:
    assert fingerprint.of_files({"a": b"1", "b": b"2"}) != fingerprint.of_files({"a": b"1\n1 b 1\n2"})
