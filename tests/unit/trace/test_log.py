from __future__ import annotations

import gzip
import io
import os
import struct
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.trace.logs import log as module
from labctl.trace.logs.log import Log, open_logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LINES = st.lists(st.binary(max_size=90).filter(lambda line: b"\n" not in line), max_size=30)


def log_of(content: bytes, name: str = "mail.log") -> Log:
    return Log.of_bytes(name, content, newest=NOW, zone=UTC)


def every_second(count: int) -> bytes:
    begin = datetime(2026, 11, 24, 10, tzinfo=UTC)
    return b"".join(
        b"%b mx postfix/qmgr[1]: AAAA%07X: removed\n"
        % (f"{begin + timedelta(seconds=number):%b %d %H:%M:%S}".encode(), number)
        for number in range(count)
    )


@contextmanager
def small_chunks() -> Iterator[None]:
    """Let chunks be so small that lines lie across them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", 64)
        patch.setattr(module, "_FIRST_CHUNK", 16)
        patch.setattr(module, "LINE_LIMIT", 50)
        yield


@given(content=st.text("ab\n", max_size=400).map(str.encode), needle=st.text("ab", min_size=1, max_size=4))
def test_what_is_found_is_where_it_stands(content: bytes, needle: str) -> None:
    text = needle.encode()
    log = log_of(content)
    places = [place for place in range(len(content)) if content.startswith(text, place)]
    with small_chunks():
        assert list(log.find(text)) == places
        assert log.rfind(text) == content.rfind(text)
        assert list(log.find(text, 7, 90)) == [
            place for place in places if place >= 7 and place + len(text) <= 90
        ]


@given(lines=LINES, start=st.integers(0, 900), stop=st.integers(0, 900))
def test_lines_come_whole_or_cut_with_where_they_begin(lines: list[bytes], start: int, stop: int) -> None:
    content = b"".join(line + b"\n" for line in lines)
    expected, place = [], 0
    for line in lines:
        expected.append((place, line[:50]))
        place += len(line) + 1
    log = log_of(content)
    with small_chunks():
        assert list(log.lines()) == expected
        assert list(log.lines(start, stop)) == [each for each in expected if start <= each[0] < stop]
        for begin, line in expected:
            assert log.line_at(begin + len(line) // 2) == (begin, line)


def test_a_line_that_has_a_text_several_times_comes_once() -> None:
    log = log_of(b"one\nab ab ab\ntwo\nab")
    assert list(log.matching(b"ab")) == [(4, b"ab ab ab", 0), (17, b"ab", 0)]


def test_a_line_of_ten_megabytes_is_cut_and_the_next_one_is_whole() -> None:
    log = log_of(b"x" * 10_000_000 + b"needle" + b"y" * 100 + b"\nneedle\n")
    assert [(start, len(line)) for start, line in log.lines()] == [(0, 1 << 16), (10_000_107, 6)]
    assert list(log.matching(b"needle")) == [(10_000_107, b"needle", 0)]


@given(st.integers(-5, 505))
def test_a_moment_is_found_by_time(number: int) -> None:
    content = every_second(500)
    moment = datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(seconds=number)
    length = len(content) // 500
    assert log_of(content).offset_at(moment) == min(max(number, 0), 500) * length


def test_lines_without_a_time_do_not_keep_a_moment_from_being_found() -> None:
    content = every_second(100) + b"  a stack trace\n" * 150 + every_second(300)[-(200 * 55) :]
    log = log_of(content)
    found = log.offset_at(datetime(2026, 11, 24, 10, 3, tzinfo=UTC))
    assert b"10:03:00" in log.line_at(found)[1]


@given(st.binary(max_size=600))
def test_any_bytes_can_be_looked_through(content: bytes) -> None:
    log = log_of(content)
    assert log.offset_at(NOW) <= len(content)
    assert all(entry.source == "mail.log" for entry in log.entries())


def test_a_log_that_is_cut_while_it_is_read_just_ends(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(every_second(50_000))
    with open_logs([str(path)], zone=UTC) as (log,):
        lines = log.lines()
        next(lines)
        os.truncate(path, 100)
        assert sum(1 for _ in lines) < 50_000
        assert list(log.find(b"C34F")) == []


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    path, link = tmp_path / "mail.log", tmp_path / "same.log"
    path.write_bytes(every_second(3))
    link.symlink_to(path)
    with open_logs([str(path), str(path), str(link)], zone=UTC) as logs:
        assert [log.name for log in logs] == [str(path)]


def test_packed_logs_are_read_with_all_their_members(tmp_path: Path) -> None:
    path, content = tmp_path / "mail.log.gz", every_second(30)
    path.write_bytes(gzip.compress(content[:700]) + gzip.compress(content[700:]))
    with open_logs([str(path)], zone=UTC) as (log,):
        assert (log.read(0, log.size), log.damage) == (content, "")


def test_of_a_packed_log_that_is_cut_off_the_beginning_is_read(tmp_path: Path) -> None:
    path, content = tmp_path / "mail.log.gz", every_second(3000)
    path.write_bytes(gzip.compress(content)[:-200])
    with open_logs([str(path)], zone=UTC) as (log,):
        assert 0 < log.size < len(content)
        assert content.startswith(log.read(0, log.size))
        assert log.damage == "It was cut off while it was packed, and its end is missing."


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_standard_input_may_be_packed_too(pack: object) -> None:
    content = every_second(3)
    with open_logs(["-"], zone=UTC, stdin=io.BytesIO(pack(content))) as (log,):  # type: ignore[operator]
        assert (log.name, log.read(0, log.size)) == ("standard input", content)


def test_a_journal_s_export_becomes_lines_of_syslog() -> None:
    message = b"AAAA1: removed\nand more \xff"
    export = (
        b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795493175123456\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER=postfix/qmgr\n"
        b"SYSLOG_PID=12\nMESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n\n"
        b"__CURSOR=s=2\n__REALTIME_TIMESTAMP=1795493175123457\n_HOSTNAME=mx\n_COMM=master\nMESSAGE=a=b\n\n"
    )
    with open_logs(["-"], zone=UTC, stdin=io.BytesIO(export)) as (log,):
        assert [line for _, line in log.lines()] == [
            b"2026-11-24T04:06:15.123456+00:00 mx postfix/qmgr[12]: AAAA1: removed and more \xff",
            b"2026-11-24T04:06:15.123457+00:00 mx master: a=b",
        ]


@given(st.binary(max_size=300))
def test_a_journal_s_export_may_be_garbage(rest: bytes) -> None:
    with open_logs(["-"], zone=UTC, stdin=io.BytesIO(b"__CURSOR=s=1\n" + rest)) as (log,):
        list(log.entries())


@pytest.mark.parametrize(
    ("head", "cure"),
    [(b"PK\x03\x04rest", "unzip -p"), (b"\x04\x22\x4d\x18rest", "lz4 -dc"), (b"\x1f\x9drest", "zcat")],
)
def test_what_is_packed_otherwise_is_refused_with_how_to_read_it(
    tmp_path: Path, head: bytes, cure: str
) -> None:
    path = tmp_path / "mail.log.1"
    path.write_bytes(head)
    with pytest.raises(UsageError, match="is packed") as caught, open_logs([str(path)], zone=UTC):
        pass
    assert caught.value.hint == f"{cure} {path} | labctl trace --logs -"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"There is no log file .*nowhere\.log"),
        open_logs([str(tmp_path / "nowhere.log")], zone=UTC),
    ):
        pass


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"), open_logs([str(tmp_path)], zone=UTC):
        pass
