from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.logstream import STDOUT, FrameStream, joined, moment
from labctl.engine.model import LogLine

STAMP = "2026-03-01T12:00:00.123456789Z"
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Frames:
    """What an engine sends: one frame for each record of its log."""

    def __init__(self, *frames: bytes) -> None:
        self._frames = iter(frames)
        self.closed = False

    def __iter__(self) -> Frames:
        return self

    def __next__(self) -> tuple[int, bytes]:
        return STDOUT, next(self._frames)

    def close(self) -> None:
        self.closed = True


def lines(*frames: bytes) -> list[LogLine]:
    return list(FrameStream(Frames(*frames)))


def stamped(text: bytes, second: int = 0) -> bytes:
    return f"2026-03-01T12:00:{second:02}.000000001Z ".encode() + text


def test_a_frame_is_a_line_with_the_engines_stamp() -> None:
    assert lines(f"{STAMP} postfix/smtpd[7]: connect\n".encode()) == [
        LogLine(AT, "postfix/smtpd[7]: connect")
    ]


def test_the_pieces_of_a_long_line_are_joined_under_the_first_stamp() -> None:
    assert lines(stamped(b"a" * 9, 1), stamped(b"b" * 9, 2), stamped(b"c\n", 3), stamped(b"next\n", 4)) == [
        LogLine(AT.replace(second=1, microsecond=0), "aaaaaaaaabbbbbbbbbc"),
        LogLine(AT.replace(second=4, microsecond=0), "next"),
    ]


def test_a_last_line_without_its_end_is_a_line() -> None:
    assert [line.text for line in lines(stamped(b"one\n"), stamped(b"tw"))] == ["one", "tw"]


def test_carriage_returns_at_the_end_go_and_inside_stay() -> None:
    assert [line.text for line in lines(stamped(b"a\rb\r\n"))] == ["a\rb"]


def test_a_character_cut_by_the_engine_is_put_together_again() -> None:
    word = "ü" * 3
    wire = word.encode()
    assert [line.text for line in lines(stamped(wire[:3]), stamped(wire[3:] + b"\n"))] == [word]


def test_closing_it_closes_the_frames() -> None:
    frames = Frames()
    FrameStream(frames).close()
    assert frames.closed


@given(st.lists(st.binary(max_size=40).filter(lambda text: not set(text) & set(b"\r\n")), max_size=8))
def test_what_was_said_is_what_is_read_however_it_was_cut(texts: list[bytes]) -> None:
    frames = [
        stamped(piece + (b"\n" if last else b""), n)
        for n, text in enumerate(texts)
        for piece, last in ((text[:16], len(text) <= 16), *([(text[16:], True)] if len(text) > 16 else []))
    ]
    found = lines(*frames)
    assert [line.text.encode("utf-8", "surrogateescape") for line in found] == texts
    assert [line.at.second for line in found] == list(range(len(texts)))


def blob(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">BxxxL", STDOUT, len(frame)) + frame for frame in frames)


def test_a_whole_log_is_its_frames_without_their_heads() -> None:
    frames = stamped(b"one\n", 1), stamped(b"\n", 2), stamped(b"caf\xe9\n", 3)
    assert joined(blob(*frames)) == b"".join(frames)


def test_in_a_whole_log_the_pieces_of_a_long_line_are_joined() -> None:
    pieces = stamped(b"a b", 1), stamped(b" c", 2), stamped(b"d\n", 3), stamped(b"next\n", 4)
    assert joined(blob(*pieces)) == stamped(b"a b cd\n", 1) + stamped(b"next\n", 4)


def test_in_a_whole_log_a_last_line_without_its_end_gets_one() -> None:
    assert joined(blob(stamped(b"one\n"), stamped(b"tw"))) == stamped(b"one\n") + stamped(b"tw\n")


@given(st.integers(0, 200))
def test_a_whole_log_that_is_cut_off_ends_before_the_cut(length: int) -> None:
    frames = [stamped(b"one\n", 1), stamped(b"two\n", 2), stamped(b"three\n", 3)]
    whole = joined(blob(*frames))
    cut = joined(blob(*frames)[:length])
    assert whole.startswith(cut)
    assert cut == b"" or cut.endswith(b"\n")


@given(st.lists(st.binary(max_size=40).map(lambda text: text.replace(b"\n", b" ").rstrip(b"\r")), max_size=8))
def test_a_whole_log_has_the_lines_that_a_followed_one_has(texts: list[bytes]) -> None:
    frames = [
        stamped(piece, n)
        for n, text in enumerate(texts)
        for piece in ([text[:16], text[16:] + b"\n"] if len(text) > 16 else [text + b"\n"])
    ]
    told = [line.partition(b" ")[2] for line in joined(blob(*frames)).split(b"\n")[:-1]]
    assert told == texts
    if not any(text[:16].endswith(b"\r") for text in texts if len(text) > 16):  # there it takes it for an end
        assert told == [line.text.encode("utf-8", "surrogateescape") for line in lines(*frames)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STAMP, AT),
        ("2026-03-01T12:00:00Z", AT.replace(microsecond=0)),
        ("2026-03-01T12:00:00.5Z", AT.replace(microsecond=500_000)),
        ("2026-03-01T14:00:00.123456+02:00", AT),
        ("2026-03-01T12:00:00", AT.replace(microsecond=0)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_an_engines_times_are_read_in_utc(text: str, expected: datetime) -> None:
    assert moment(text) == expected
    assert moment(text).utcoffset() == timedelta(0)


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(0, 999))  # noqa: DTZ001  # hypothesis wants them naive
def test_nanoseconds_are_cut_and_never_rounded_up(at: datetime, nanoseconds: int) -> None:
    text = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}{nanoseconds:03}Z"
    assert moment(text) == at.replace(tzinfo=UTC)


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")
