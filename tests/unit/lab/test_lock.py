from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest

from labctl.engine import lockfile
from labctl.errors import EngineError, LabInUse
from labctl.lab import lock
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from labctl.engine.fake import FakeEngine

ID = "the engine"

HOLDER = """
import os, signal, sys
from pathlib import Path
from labctl.engine import lockfile
from labctl.engine.fake import FakeEngine
from labctl.lab import lock

lockfile.DIRECTORIES = (Path(sys.argv[1]),)
os.umask(int(sys.argv[3], 8))
if sys.argv[4:]:
    os.setuid(int(sys.argv[4]))
engine = FakeEngine(())
engine.id = "the engine"
with getattr(lock, sys.argv[2])(engine, "x"):
    print("held", flush=True)
    signal.sigwait({signal.SIGUSR1})
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, too")


@pytest.fixture
def directory(_own_locks: Path) -> Path:
    return _own_locks


@pytest.fixture
def engine(fake: FakeEngine) -> FakeEngine:
    fake.id = ID
    return fake


@contextmanager
def another(
    directory: Path, how: str = "held", umask: str = "022", *user: str
) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of lab x, until the block ends or it is told to end."""
    argv = [sys.executable, "-c", HOLDER, str(directory), how, umask, *user]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_lock_is_held_inside_and_nothing_is_left_of_it_outside(engine: FakeEngine, directory: Path) -> None:
    for lock_of in (lock.held, lock.used, lock.working):
        assert not lock.is_held(engine, "x")
        with lock_of(engine, "x"):
            assert lock.is_held(engine, "x")
            assert list(directory.iterdir())
        assert not lock.is_held(engine, "x")
        assert list(directory.iterdir()) == []


def test_an_error_inside_gives_it_back(engine: FakeEngine) -> None:
    with pytest.raises(ValueError, match="inside"), lock.held(engine, "x"):
        raise ValueError("inside")
    assert not lock.is_held(engine, "x")


def test_another_lab_and_another_engine_have_locks_of_their_own(engine: FakeEngine) -> None:
    with lock.held(engine, "x"):
        assert not lock.is_held(engine, "y")
        engine.id = "another engine"
        assert not lock.is_held(engine, "x")


def test_who_wants_to_change_a_lab_waits_for_who_changes_it(engine: FakeEngine) -> None:
    order: list[str] = []

    def second() -> None:
        with lock.held(engine, "x"):
            order.append("second")

    with lock.held(engine, "x"):
        thread = threading.Thread(target=second)
        thread.start()
        assert eventually(lambda: order or None, within=0.2) is None
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]


def test_many_who_want_to_change_a_lab_do_so_one_after_the_other(engine: FakeEngine) -> None:
    inside: list[int] = []

    def work(_: int) -> int:
        with lock.held(engine, "x"):
            inside.append(1)
            most = len(inside)
            inside.pop()
        return most

    with ThreadPoolExecutor(max_workers=6) as pool:
        assert list(pool.map(work, range(120))) == [1] * 120


def test_one_that_waited_too_long_says_for_whom(
    engine: FakeEngine, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WAIT", 0.05)
    with (
        another(directory) as other,
        pytest.raises(LabInUse, match=rf"lab 'x' is in use by .*process {other.pid}"),
        lock.held(engine, "x"),
    ):
        pass


@pytest.mark.parametrize("wanted", [lock.held, lock.used])
def test_a_lab_that_is_in_use_is_refused_with_who_has_it(
    engine: FakeEngine, directory: Path, wanted: Callable[..., AbstractContextManager[None]]
) -> None:
    told: list[str] = []
    with (
        another(directory, "used") as other,
        pytest.raises(LabInUse) as refused,
        wanted(engine, "x", lambda _, state: told.append(state), patience=0.1),
    ):
        pass
    assert refused.value.exit_code == 2
    assert refused.value.detail["holder"]["pid"] == other.pid
    assert re.search(rf"of user \S+ \(process {other.pid}, since [\d:]+\)", refused.value.message)
    assert told
    assert all(str(other.pid) in each for each in told)


def test_a_lab_that_is_soon_out_of_use_is_waited_for(engine: FakeEngine, directory: Path) -> None:
    with another(directory, "used") as other:
        threading.Timer(0.1, lambda: other.send_signal(signal.SIGUSR1)).start()
        with lock.held(engine, "x", patience=30):
            pass


def test_who_has_a_lab_in_use_changes_it_and_so_does_a_process_of_its_own(
    engine: FakeEngine, directory: Path
) -> None:
    with lock.used(engine, "x"):
        with lock.working(engine, "x"):
            pass
        with another(directory, "working"):
            assert lock.is_held(engine, "x")


def test_who_is_refused_keeps_nobody_from_changing_the_lab_in_use(engine: FakeEngine) -> None:
    stopped = threading.Event()

    def outsider() -> None:
        with suppress(LabInUse), lock.held(engine, "x", patience=1.0):
            pass
        stopped.set()

    with lock.used(engine, "x"):
        threading.Thread(target=outsider).start()
        times = 0
        while not stopped.is_set():
            with lock.working(engine, "x"):
                times += 1
    assert times > 10


def test_another_process_holds_it_until_it_is_killed(engine: FakeEngine, directory: Path) -> None:
    with another(directory) as other:
        assert lock.is_held(engine, "x")
        other.send_signal(signal.SIGKILL)
        other.wait(timeout=10)
        assert not lock.is_held(engine, "x")
        with lock.held(engine, "x"):
            pass
    assert list(directory.iterdir()) == []


@needs_root
@pytest.mark.parametrize("umask", ["022", "077"])
def test_another_users_lock_is_seen_and_taken_over(engine: FakeEngine, directory: Path, umask: str) -> None:
    for each in takewhile(lambda above: not above.stat().st_mode & stat.S_ISVTX, directory.parents):
        each.chmod(each.stat().st_mode | 0o011)  # pytest's own are nobody else's
    with another(directory, "held", umask, "65534"):
        assert lock.is_held(engine, "x")
    with another(directory, "held", umask, "65533"):  # there are files of the first one's
        assert lock.is_held(engine, "x")
    with lock.held(engine, "x"):
        pass


def test_a_program_started_meanwhile_does_not_inherit_it(engine: FakeEngine) -> None:
    with lock.held(engine, "x"):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        assert not lock.is_held(engine, "x")
    finally:
        child.communicate(timeout=10)


def test_those_who_only_look_are_not_in_each_others_way(engine: FakeEngine) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        assert not any(pool.map(lambda _: lock.is_held(engine, "x"), range(1200)))


@pytest.mark.parametrize("name", ["", "a/b", "../../etc/x", "x" * 300, "a\0b"])
def test_whatever_a_label_calls_a_lab_its_locks_lie_in_one_directory(
    engine: FakeEngine, directory: Path, name: str
) -> None:
    with lock.held(engine, name):
        assert lock.is_held(engine, name)
        assert len(list(directory.iterdir())) == 2


def test_nobody_but_its_user_can_write_it_whatever_the_umask_is(engine: FakeEngine, directory: Path) -> None:
    before = os.umask(0)
    try:
        with lock.held(engine, "x"):
            assert {stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()} == {0o444}
    finally:
        os.umask(before)


@pytest.mark.parametrize("kind", ["symlink", "directory", "fifo", "unreadable"])
def test_what_somebody_else_has_put_in_a_locks_place_is_told(
    engine: FakeEngine, directory: Path, kind: str, tmp_path: Path
) -> None:
    with lock.held(engine, "x"):
        paths = list(directory.iterdir())
    target = tmp_path / "target"
    target.write_text("precious")
    for path in paths:
        match kind:
            case "symlink":
                path.symlink_to(target)
            case "directory":
                path.mkdir()
            case "fifo":
                os.mkfifo(path)
            case _:
                path.touch(0o000)
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root can read all")
    with pytest.raises(EngineError, match="labctl-"), lock.held(engine, "x"):
        pass
    assert target.read_text() == "precious"


def test_a_directory_that_is_not_for_all_users_is_passed_over(
    engine: FakeEngine, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setattr(lockfile, "DIRECTORIES", (tmp_path / "missing", mine, directory))
    with lock.held(engine, "x"):
        assert list(mine.iterdir()) == []
        assert len(list(directory.iterdir())) == 2
    monkeypatch.setattr(lockfile, "DIRECTORIES", (mine,))
    with pytest.raises(EngineError, match="no place for locks"), lock.held(engine, "x"):
        pass


def test_what_vouches_for_a_lab_is_the_directory_and_not_how_it_is_called(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = lockfile.voucher()
    (tmp_path / "link").symlink_to(directory)
    monkeypatch.setattr(lockfile, "DIRECTORIES", (tmp_path / "link",))
    assert lockfile.voucher() == here
    (tmp_path / "other").mkdir()
    (tmp_path / "other").chmod(0o1777)
    monkeypatch.setattr(lockfile, "DIRECTORIES", (tmp_path / "other",))
    assert lockfile.voucher() != here
