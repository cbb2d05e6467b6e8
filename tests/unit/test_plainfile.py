from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from labctl import plainfile


def test_a_file_is_read_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123")
    assert plainfile.content(tmp_path / "a", 4) == b"0123"
    with pytest.raises(OSError, match="larger than"):
        plainfile.content(tmp_path / "a", 3)


def test_a_link_leads_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123")
    (tmp_path / "b").symlink_to("a")
    assert plainfile.content(tmp_path / "b", 4) == b"0123"


def test_what_would_keep_its_reader_waiting_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # nobody ever writes to it: to open it in the usual way would last for ever
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(OSError, match="a named pipe, no file"):
            plainfile.opened(tmp_path / name)


def test_what_is_no_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="a socket, no file"):
            plainfile.opened(tmp_path / "socket")
    with pytest.raises(OSError, match="a device, no file"):
        plainfile.opened("/dev/zero")
    with pytest.raises(IsADirectoryError):
        plainfile.opened(tmp_path)
    with pytest.raises(FileNotFoundError):
        plainfile.opened(tmp_path / "none")


def test_a_pipe_without_a_name_is_read_until_its_writer_ends() -> None:
    reader, writer = os.pipe()
    try:
        with plainfile.opened(f"/dev/fd/{reader}") as file:
            os.write(writer, b"first")
            os.write(writer, b" last")
            os.close(writer)
            assert file.read() == b"first last"
    finally:
        os.close(reader)


def test_a_file_beyond_a_file_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError):
        plainfile.content(tmp_path / "a/b", 1)
    with pytest.raises(OSError, match="name too long"):
        plainfile.content(Path("a" * 300), 1)
