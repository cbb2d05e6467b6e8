from __future__ import annotations

import errno
import os
import shutil
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import ForbiddenFile, GradingError, MissingFile, UsageError
from labctl.lab.attempt import attempt
from labctl.lab.attempt.attempt import Settings
from labctl.lab.blueprint.definition import Editable, LabDefinition

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "zones/beta/beta.zone"
ZONE = "/etc/coredns/zones/beta.test.zone"


def lab(path: str = PATH) -> LabDefinition:
    return LabDefinition("demo", "A lab", "two-domains", Path("/"), editable=(Editable(path, "dns", ZONE),))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "attempt"
    (found / "zones" / "beta").mkdir(parents=True)
    (found / "zones" / "beta" / "beta.zone").write_bytes(b"a zone\n")
    return found


@pytest.fixture
def file(directory: Path) -> Path:
    return directory / "zones" / "beta" / "beta.zone"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    found = tmp_path / "secret"
    (found / "beta").mkdir(parents=True)
    (found / "beta" / "beta.zone").write_bytes(b"nobody's business\n")
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is opened from now on."""
    found: list[str] = []
    really_open = os.open

    def note_and_open(path: str, flags: int, **more: int) -> int:
        found.append(path)
        return really_open(path, flags, **more)

    monkeypatch.setattr(os, "open", note_and_open)
    return found


def forbidden(directory: Path) -> ForbiddenFile:
    with pytest.raises(ForbiddenFile) as caught:
        attempt.read(directory, lab())
    assert PATH in caught.value.message
    assert caught.value.detail == {"file": PATH}
    assert caught.value.exit_code == 1
    return caught.value


def test_the_attempt_itself_may_be_a_link(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory)
    assert attempt.read(tmp_path / "link", lab()).files == {PATH: b"a zone\n"}


def test_files_go_to_the_hosts_that_the_lab_names() -> None:
    answers = Editable("answers.toml")
    lab_with_answers = replace(lab(), editable=(*lab().editable, answers))
    files = {PATH: b"a zone\n", "answers.toml": b"who = 1\n"}
    assert attempt.for_hosts(files, lab_with_answers) == {("dns", ZONE): b"a zone\n"}


def test_a_file_that_only_checks_read_is_read(directory: Path) -> None:
    (directory / "answers.toml").write_bytes(b"who = 1\n")
    with_answers = replace(lab(), editable=(Editable("answers.toml"),))
    assert attempt.read(directory, with_answers).files == {"answers.toml": b"who = 1\n"}


@pytest.mark.parametrize("gone", [PATH, "zones"], ids=["itself", "a directory on the way"])
def test_a_missing_file_is_named(directory: Path, gone: str) -> None:
    (directory / gone).rename(directory / "other")
    with pytest.raises(MissingFile, match=r"no zones/beta/beta\.zone"):
        attempt.read(directory, lab())


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (lambda file, other: file.symlink_to(other), "links are not followed"),
        (lambda file, _: file.symlink_to("../../labctl.toml"), "links are not followed"),
        (lambda file, _: file.symlink_to("nowhere"), "links are not followed"),
        (lambda file, other: file.hardlink_to(other), "2 hard links"),
        (lambda file, _: os.mkfifo(file), "no regular file"),
        (lambda file, _: file.mkdir(), "no regular file"),
    ],
    ids=["a link", "a link to the attempt's own", "a dangling link", "a hard link", "a fifo", "a directory"],
)
def test_what_is_no_plain_file_of_its_own_is_neither_followed_nor_waited_for(
    directory: Path, file: Path, secret: Path, put: Callable[[Path, Path], object], reason: str
) -> None:
    (directory / "labctl.toml").touch()
    file.unlink()
    put(file, secret / "beta" / "beta.zone")
    assert reason in forbidden(directory).message


@pytest.mark.parametrize("level", ["zones", "zones/beta"])
def test_a_link_on_the_way_is_not_followed(directory: Path, secret: Path, level: str) -> None:
    (directory / level).rename(directory / "aside")
    (directory / level).symlink_to(secret / level.removeprefix("zones").lstrip("/"))
    assert (directory / "zones" / "beta" / "beta.zone").is_file()
    forbidden(directory)


def test_a_socket_is_refused(directory: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.unlink()
    monkeypatch.chdir(file.parent)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(file.name)
        forbidden(directory)


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
def test_a_device_is_refused(directory: Path, file: Path) -> None:
    file.unlink()
    try:
        os.mknod(file, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero never ends
    except PermissionError:
        pytest.skip("root may not make devices here")
    forbidden(directory)


def test_a_file_on_the_way_is_no_directory(directory: Path) -> None:
    (directory / "zones").rename(directory / "aside")
    (directory / "zones").write_text("")
    forbidden(directory)


@pytest.mark.parametrize("excess", [0, 1, 1 << 40])
def test_only_what_is_larger_than_allowed_is_refused(directory: Path, file: Path, excess: int) -> None:
    os.truncate(file, attempt.LARGEST_FILE + excess)  # to read a terabyte of a hole would take long
    if excess:
        assert "larger than 1 MiB" in forbidden(directory).message
    else:
        assert len(attempt.read(directory, lab()).files[PATH]) == attempt.LARGEST_FILE


def test_all_files_together_are_bounded(directory: Path) -> None:
    names = [f"{n}.zone" for n in range(17)]
    for name in names:
        (directory / name).write_bytes(b"x" * attempt.LARGEST_FILE)
    most = [Editable(name, "dns", f"/etc/coredns/zones/{name}") for name in names]
    assert len(attempt.read(directory, replace(lab(), editable=tuple(most[:16]))).files) == 16
    with pytest.raises(ForbiddenFile, match=r"16\.zone and what precedes it is larger than 16 MiB"):
        attempt.read(directory, replace(lab(), editable=tuple(most)))


@pytest.mark.parametrize("kind", ["file", "fifo"])
def test_a_file_that_is_another_one_when_it_is_opened_is_judged_by_what_was_opened(
    directory: Path, file: Path, secret: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def swap_and_open(path: str, flags: int, **more: int) -> int:
        if path == file.name:
            file.unlink()
            if kind == "fifo":
                os.mkfifo(file)
            else:
                file.hardlink_to(secret / "beta" / "beta.zone")
        return really_open(path, flags, **more)

    monkeypatch.setattr(os, "open", swap_and_open)
    forbidden(directory)


def test_a_machine_that_fails_to_read_is_no_fault_of_the_attempt(
    directory: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_open = os.open

    def fail(path: str, flags: int, **more: int) -> int:
        if path == file.name:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really_open(path, flags, **more)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(GradingError, match="Too many open files"):
        attempt.read(directory, lab())


def test_a_name_too_long_is_refused(directory: Path) -> None:
    with pytest.raises(ForbiddenFile, match="can't be opened"):
        attempt.read(directory, lab("x" * 300))


def test_an_attempt_that_is_no_directory_is_the_callers_mistake(directory: Path, file: Path) -> None:
    with pytest.raises(UsageError, match="not a directory"):
        attempt.read(directory / "none", lab())
    with pytest.raises(UsageError, match="not a directory"):
        attempt.read(file, lab())


def test_a_lab_without_editable_files_takes_no_attempt(directory: Path) -> None:
    with pytest.raises(UsageError, match="lets nothing be handed in"):
        attempt.read(directory, LabDefinition("demo", "A lab", "two-domains", Path("/")))


def test_other_files_are_counted_and_not_opened(directory: Path) -> None:
    (directory / "conftest.py").write_text("raise SystemExit")
    (directory / ".labctl").mkdir()
    (directory / ".labctl" / "grade.json").write_text("{}")
    (directory / "loop").symlink_to(directory)
    os.mkfifo(directory / "zones" / "trap")
    (directory / "zones" / os.fsdecode(b"\xff\xfe\n")).write_text("")
    found = attempt.read(directory, lab())
    assert found.files == {PATH: b"a zone\n"}
    assert (found.ignored, found.bounded) == (5, False)


def test_what_a_student_was_given_is_no_surprise(directory: Path) -> None:
    (directory / "README.md").write_text("The handout\n")
    (directory / "labctl.toml").write_text('lab = "demo"\n')
    (directory / ".git" / "objects").mkdir(parents=True)
    (directory / ".git" / "objects" / "pack").write_text("")
    assert attempt.read(directory, lab()).ignored == 0


def test_a_flood_of_files_is_counted_to_a_bound(directory: Path) -> None:
    for n in range(attempt.MOST_COUNTED + 10):
        (directory / f"file-{n}").touch()
    found = attempt.read(directory, lab())
    assert found.bounded
    assert attempt.MOST_COUNTED - 3 <= found.ignored <= attempt.MOST_COUNTED


def test_a_flood_of_directories_is_looked_at_to_a_bound(directory: Path, opened: list[str]) -> None:
    for n in range(attempt.MOST_COUNTED + 500):
        (directory / f"directory-{n}").mkdir()
    assert attempt.read(directory, lab()).bounded
    assert len(opened) < attempt.MOST_COUNTED + 20


def test_a_bottomless_directory_is_looked_into_to_a_bound(directory: Path, opened: list[str]) -> None:
    below = os.open(directory, os.O_RDONLY)
    for _ in range(600):  # longer than any path may be
        os.mkdir("deep-deep", dir_fd=below)
        further = os.open("deep-deep", os.O_RDONLY, dir_fd=below)
        os.close(below)
        below = further
    os.close(below)
    opened.clear()
    assert attempt.read(directory, lab()).bounded
    assert opened.count("deep-deep") < 50
    shutil.rmtree(directory / "deep-deep", ignore_errors=True)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_an_unreadable_directory_is_not_counted(directory: Path) -> None:
    (directory / "closed").mkdir(mode=0)
    assert attempt.read(directory, lab()).bounded


SETTINGS = [
    (b"", Settings()),
    (b'lab = "fix-the-mx"\n', Settings("fix-the-mx")),
    (b'lab = "demo"\nseed = "0123456789abcdef"\nmore = 1\n', Settings("demo", "0123456789abcdef")),
]

NO_SETTINGS = [
    (b"lab =", "is no TOML"),
    (b'lab = "\xff"', "is no TOML"),
    (b"x = " + b"[" * 60_000, "is no TOML"),
    (b"x = " + b"9" * 60_000, "is no TOML"),
    (b'lab = "../../somewhere"', "expected the id of a lab"),
    (b'lab = ["demo"]', "expected the id of a lab"),
    (b'seed = "0123"', "expected 16 hexadecimal digits"),
    (b"x" * (64 << 10) + b"x", "larger than 64 KiB"),
]


@pytest.mark.parametrize(("content", "said"), SETTINGS)
def test_an_attempt_says_which_lab_it_is_at(directory: Path, content: bytes, said: Settings) -> None:
    (directory / "labctl.toml").write_bytes(content)
    assert attempt.settings(directory) == said
    found = attempt.read(directory, lab())
    assert Settings(found.lab, found.seed) == said


def test_an_attempt_need_not_say_which_lab_it_is_at(directory: Path) -> None:
    assert attempt.settings(directory) == Settings()


@pytest.mark.parametrize(("content", "reason"), NO_SETTINGS)
def test_settings_that_are_none_are_named_where_they_are_needed_and_ignored_where_they_are_not(
    directory: Path, content: bytes, reason: str
) -> None:
    (directory / "labctl.toml").write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        attempt.settings(directory)
    found = attempt.read(directory, lab())
    assert (found.lab, found.seed) == (None, None)


def test_settings_that_are_a_link_are_not_read(directory: Path, secret: Path) -> None:
    (secret / "labctl.toml").write_text('lab = "demo"\n')
    (directory / "labctl.toml").symlink_to(secret / "labctl.toml")
    with pytest.raises(UsageError, match="links are not followed"):
        attempt.settings(directory)
    assert attempt.read(directory, lab()).lab is None


@given(st.binary(max_size=200) | st.text("labsed= \"'[]{}\n0").map(str.encode))
def test_settings_are_read_or_refused_whatever_they_hold(content: bytes) -> None:
    with TemporaryDirectory() as place:
        (Path(place) / "labctl.toml").write_bytes(content)
        (Path(place) / "a.zone").touch()
        said = Settings()
        with suppress(UsageError):
            said = attempt.settings(Path(place))
        found = attempt.read(Path(place), lab("a.zone"))
    assert Settings(found.lab, found.seed) == said


def test_no_descriptor_stays_open(directory: Path, file: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    attempt.read(directory, lab())
    file.unlink()
    with pytest.raises(MissingFile):
        attempt.read(directory, lab())
    os.mkfifo(file)
    forbidden(directory)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
