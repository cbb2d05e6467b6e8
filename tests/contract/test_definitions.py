"""A lab's definition is read once for a command, however many processes it starts."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from labctl import resources
from labctl.grading import form
from labctl.grading.job import Job
from tests.contract.conftest import Labctl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bed.bed import Bed

OPENED: Final = 0x20
CLOSED: Final = 0x10
"""IN_OPEN and IN_CLOSE_NOWRITE of inotify(7), which would tell of two openings in a row as of one."""

EXERCISE = '''
def test_bob_has_mail(lab, alice, bob):
    """A letter arrives."""
    bob.expect_delivery(alice.send(bob))
'''


@contextmanager
def openings(path: Path) -> Iterator[list[int]]:
    """Count how often a file is opened in the block, by whatever process; the list has it afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(watch, os.fsencode(path), OPENED | CLOSED) >= 0
    found: list[int] = []
    with os.fdopen(watch, "rb") as events:
        yield found
        told = events.read() or b""
    found.append(sum(bool(mask & OPENED) for _, mask, _, _ in struct.iter_unpack("iIII", told)))


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A lab of one's own, with an exercise, and checks for attempts that are lent a laboratory."""
    found = tmp_path / "fix-the-mx"
    ignored = shutil.ignore_patterns("mutants", "variants")
    shutil.copytree(resources.labs_dir() / "fix-the-mx", found, ignore=ignored)
    (found / "exercises").mkdir()
    (found / "exercises" / "test_mail.py").write_text(EXERCISE)
    return found


@pytest.fixture
def labctl(bed: Bed, tmp_path: Path) -> Labctl:
    """Commands on an engine in memory."""
    found = Labctl(tmp_path)
    found.environ |= bed.environ
    return found


@pytest.mark.parametrize(
    "command",
    [
        "up {lab}/",
        "run --lab {lab}",
        "grade {lab}/solution --lab {lab}",
        "labs test {lab}",
    ],
)
def test_a_command_reads_the_definition_of_its_lab_once(labctl: Labctl, lab: Path, command: str) -> None:
    with openings(lab / "lab.toml") as times:
        ran = labctl(*command.format(lab=lab).split(), "--json")
    assert ran.code in {0, 1}, ran
    assert times == [1]


def test_a_job_has_the_definition_of_its_lab_read_once(labctl: Labctl, lab: Path) -> None:
    files = {"beta.test.zone": (lab / "solution" / "beta.test.zone").read_bytes()}
    with openings(lab / "lab.toml") as times:
        ran = labctl("examine", stdin=form.written(Job("a", lab, None, files, seed="0" * 16, name="a")))
    assert ran.code == 0, ran
    assert times == [1]


@pytest.mark.parametrize(("command", "most"), [("status", 0), ("queue", 1), ("reset", 1)])
def test_a_command_on_a_running_lab_reads_its_definition_once_at_most(
    labctl: Labctl, lab: Path, command: str, most: int
) -> None:
    assert labctl("up", f"{lab}/").code == 0
    with openings(lab / "lab.toml") as times:
        assert labctl(command).code == 0
    assert times == [most]
