from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from labctl.errors import EngineError
from labctl.lab import lock
from labctl.wait import eventually

if TYPE_CHECKING:
    from pathlib import Path

URL = "unix:///var/run/docker.sock"

HOLDER = f"""
import signal
from labctl.lab import lock
with lock.held({URL!r}, "x"):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is remembered
    return tmp_path / f"labctl-{os.getuid()}"


def test_a_lock_is_held_inside_and_free_outside() -> None:
    assert not lock.is_held(URL, "x")
    with lock.held(URL, "x"):
        assert lock.is_held(URL, "x")
    assert not lock.is_held(URL, "x")


def test_an_error_inside_gives_it_back() -> None:
    with pytest.raises(ValueError, match="inside"), lock.held(URL, "x"):
        raise ValueError("inside")
    assert not lock.is_held(URL, "x")


def test_another_lab_and_another_engine_have_locks_of_their_own() -> None:
    with lock.held(URL, "x"):
        assert not lock.is_held(URL, "y")
        assert not lock.is_held("unix:///other.sock", "x")


def test_a_second_holder_waits_for_the_first() -> None:
    order: list[str] = []

    def second() -> None:
        with lock.held(URL, "x"):
            order.append("second")

    with lock.held(URL, "x"):
        thread = threading.Thread(target=second)
        thread.start()
        assert eventually(lambda: order or None, within=0.2) is None
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]


def test_one_that_waited_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT", 0.05)
    with (
        lock.held(URL, "x"),
        pytest.raises(EngineError, match="another labctl has worked on lab 'x'"),
        lock.held(URL, "x"),
    ):
        pass


def test_another_process_holds_it_until_it_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert lock.is_held(URL, "x")
        other.send_signal(signal.SIGKILL)
        other.wait(timeout=10)
    with lock.held(URL, "x"):
        pass


def test_a_program_started_meanwhile_does_not_inherit_it() -> None:
    with lock.held(URL, "x"):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        assert not lock.is_held(URL, "x")
    finally:
        child.communicate(timeout=10)


def test_those_who_only_look_are_not_in_each_others_way() -> None:
    found: list[bool] = []

    def look() -> None:
        found.extend(lock.is_held(URL, "x") for _ in range(300))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(found) == 1200
    assert not any(found)


@pytest.mark.parametrize("name", ["", "a/b", "../../etc/x", "x" * 300, "a\0b"])
def test_whatever_a_label_calls_a_lab_its_lock_lies_in_one_directory(directory: Path, name: str) -> None:
    with lock.held(URL, name):
        assert lock.is_held(URL, name)
        assert len(list(directory.iterdir())) == 1


def test_only_its_user_can_get_at_it(directory: Path) -> None:
    with lock.held(URL, "x"):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_place_of_the_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="somebody else's"), lock.held(URL, "x"):
        pass


def test_a_file_in_the_place_of_the_directory_is_told(directory: Path) -> None:
    directory.write_text("")
    with pytest.raises(EngineError, match="labctl-"):
        lock.is_held(URL, "x")
