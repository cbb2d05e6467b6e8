"""Files that labctl writes: only regular ones, and each whole or not at all."""

from __future__ import annotations

import io
import os
import socket
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import OutputError
from labctl.output import STANDARD_OUTPUT, check, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def special(kind: str, directory: Path) -> Iterator[Path]:
    """Make something that is no regular file; a terminal's device can't be replaced by whatever is wrong."""
    path = directory / "special"
    if kind == "a directory":
        path.mkdir()
        yield path
    elif kind == "a named pipe":
        os.mkfifo(path)
        yield path
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            yield path
    else:
        ours, its = os.openpty()
        yield Path(os.ttyname(its))
        os.close(ours)
        os.close(its)


def write(path: Path, *, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Write a new content; something else is done before it has its name."""
    with writing(path) as file:
        file.write(b"new")
        meanwhile()


KINDS = ["a directory", "a named pipe", "a socket", "a device"]


@pytest.mark.parametrize("linked", [False, True], ids=["itself", "behind a link"])
@pytest.mark.parametrize("append", [False, True], ids=["replaced", "added to"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_refused_and_left_as_it_is(
    kind: str, tmp_path: Path, *, append: bool, linked: bool
) -> None:
    with special(kind, tmp_path) as path:
        before = path.stat()
        if linked:
            tmp_path.joinpath("link").symlink_to(path)
        wanted = tmp_path / "link" if linked else path
        entries = {*tmp_path.iterdir()}
        with pytest.raises(OutputError, match=f"can't be written: it is {kind}"):
            check(wanted, append=append)
        with (
            pytest.raises(OutputError, match=f"can't be written: it is {kind}"),
            writing(wanted, append=append),
        ):
            pytest.fail("it was opened")
        after = path.stat()
        assert (after.st_mode, after.st_ino, after.st_rdev) == (before.st_mode, before.st_ino, before.st_rdev)
        assert {*tmp_path.iterdir()} == entries


def test_what_becomes_a_pipe_while_it_is_written_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report"
    with pytest.raises(OutputError, match="it is a named pipe"):
        write(path, meanwhile=lambda: os.mkfifo(path))
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_to_a_file_is_followed_and_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "report").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("elsewhere/report")
    write(link)
    assert link.is_symlink()
    assert (elsewhere / "report").read_bytes() == b"new"
    assert [each.name for each in elsewhere.iterdir()] == ["report"]


@pytest.mark.parametrize("append", [False, True])
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, *, append: bool) -> None:
    link = tmp_path / "link"
    link.symlink_to("nothing")
    with pytest.raises(OutputError, match="leads nowhere"), writing(link, append=append):
        pytest.fail("it was opened")
    assert [*tmp_path.iterdir()] == [link]


def test_a_link_that_is_set_to_another_file_meanwhile_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("one")

    def set_anew() -> None:
        link.unlink()
        link.symlink_to("other")

    with pytest.raises(OutputError, match="leads elsewhere"):
        write(link, meanwhile=set_anew)
    assert [(tmp_path / name).read_bytes() for name in ("one", "other")] == [b"old", b"old"]


def test_a_file_that_was_not_written_to_its_end_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"old")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, meanwhile=interrupt)
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_any_program_gives_it(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write(tmp_path / "report")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o666 & ~umask


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "report"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write(path)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)


def test_what_is_added_to_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    for text in (b"one\n", b"two\n"):
        with writing(path, append=True) as file:
            file.write(text)
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_dash_is_standard_output_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    with writing(STANDARD_OUTPUT, stdout=stream) as file:
        file.write(b"new")
    assert stream.getvalue() == b"new"
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none/report", "No such file"),
        ("file/report", "Not a directory"),
        ("n" * 256, "File name too long"),
        ("/proc/report", "No such file"),
        ("", "it is a directory"),
    ],
)
def test_what_can_not_be_written_is_found_out_before_there_is_anything_to_write(
    path: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"can't be written: {why}"):
        check(tmp_path / path)
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_a_name_that_the_directory_just_bears_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    check(path)
    write(path)
    assert path.read_bytes() == b"new"
