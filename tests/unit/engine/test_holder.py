from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from labctl.engine.holder import Holder, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCKS = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


@contextmanager
def locked_by(*argv: str) -> Iterator[int]:
    """Return the id of a process that holds a lock for the length of the block."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process.pid


def test_a_holder_is_told_by_its_program_its_user_and_its_start(file: Path, tmp_path: Path) -> None:
    program = tmp_path / "labctl"
    program.write_text(LOCKS.replace("sys.argv[1]", "sys.argv[2]"), encoding="utf-8")
    with locked_by(sys.executable, "-u", str(program), "grade", str(file)) as pid:
        found = holder_of(file)
    assert (found.pid, found.command) == (pid, "labctl grade")
    assert found.user == pwd.getpwuid(os.getuid()).pw_name
    assert found.since is not None
    assert abs(datetime.now(UTC) - found.since) < timedelta(seconds=60)
    assert str(found).startswith(f"labctl grade of user {found.user} (process {pid}, since ")


def test_a_program_that_has_no_name_is_another_labctl(file: Path) -> None:
    with locked_by(sys.executable, "-c", LOCKS, str(file)) as pid:
        assert f"{holder_of(file)}".startswith("another labctl of user ")
        assert holder_of(file).pid == pid


def test_what_a_program_calls_itself_is_told_on_one_line_and_not_all_of_it(file: Path) -> None:
    shell = f'exec -a "$(printf "evil\\033[31m\\nline%0200d" 7)" flock {file} sh -c "echo locked; read x"'
    with locked_by("bash", "-c", shell):
        command = holder_of(file).command
    assert command is not None
    assert command.startswith("evil?[31m?line000")
    assert len(command) <= 60


def test_a_lock_that_nobody_holds_has_no_known_holder(file: Path) -> None:
    assert holder_of(file) == Holder()
    assert holder_of(file.with_name("missing")) == Holder()
    assert str(Holder()) == "another labctl"
    with file.open() as shared:
        fcntl.flock(shared, fcntl.LOCK_SH)  # who only looks is no holder
        assert holder_of(file) == Holder()
