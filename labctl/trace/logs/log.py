"""The bytes of one log, wherever they lie."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Final

from labctl import plainfile
from labctl.errors import UsageError
from labctl.mail.log import undated
from labctl.trace.logs import presence
from labctl.trace.logs.reading import Reader
from labctl.trace.logs.spool import HEAD, is_plain, spool
from labctl.trace.logs.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo

    from labctl.trace.logs.entry import Entry

LINE_LIMIT: Final = 1 << 16
"""What is longer in a line is left out: strangers may write what is logged."""

_CHUNK: Final = 1 << 18
"""What fits a processor's cache: it is read once and looked at several times."""
_FIRST_CHUNK: Final = 1 << 13
_PLACES: Final = 8
"""In how many places a line with a time is looked for before a log is taken for one without."""
_TIMELESS: Final = 200
"""How many lines without a time are passed over where one with a time is looked for."""


class Log:
    """The bytes of one log, as long as they were when it was opened; it may be cut short while it is read.

    Args:
        name: What to call it: a file, or a lab's host.
        size: Its length in bytes.
        read: Returns the bytes from one place up to another, or less where it ends.
        newest: No line is younger; it tells the year where lines have none.
        zone: That of lines whose time has none.
        host: Whose log it is, where that is known; else each line's own host is.
        damage: Why it holds less than the whole log; empty where it does not.
        begins: The time of its first line, where older ones may be gone; None where it holds all that counts.
    """

    def __init__(
        self,
        name: str,
        size: int,
        read: Callable[[int, int], bytes],
        *,
        newest: datetime,
        zone: tzinfo,
        host: str = "",
        damage: str = "",
        begins: datetime | None = None,
    ) -> None:
        self.begins = begins
        self.name, self.size, self.host, self.damage = name, size, host, damage
        self.unread = Unread()
        """What its readers could not read."""
        self._read, self._newest, self._zone = read, newest, zone

    @classmethod
    def of_bytes(cls, name: str, content: bytes, *, newest: datetime, zone: tzinfo, host: str = "") -> Log:
        """Take a log's content as it is."""
        return cls(
            name,
            len(content),
            lambda start, stop: content[start:stop],
            newest=newest,
            zone=zone,
            host=host,
        )

    @classmethod
    def of_file(cls, name: str, file: BinaryIO, *, newest: datetime, zone: tzinfo, damage: str = "") -> Log:
        """Take an open file; the caller closes it.

        Its bytes are read when they are asked for, not mapped into memory: a log may be truncated meanwhile,
        and a process that touches what was mapped there dies.
        """
        number = file.fileno()
        return cls(
            name,
            os.fstat(number).st_size,
            lambda start, stop: os.pread(number, stop - start, start),
            newest=newest,
            zone=zone,
            damage=damage,
        )

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from one place up to another, as far as there are any."""
        stop = min(stop, self.size)
        try:
            return self._read(start, stop) if start < stop else b""
        except OSError as error:
            raise UsageError(
                f"The log file {self.name} can't be read: {error.strerror}.", hint=f"ls -l {self.name}"
            ) from error

    def find(self, needle: bytes, start: int = 0, stop: int | None = None) -> Iterator[int]:
        """Yield where a piece of text begins that lies between two places."""
        stop = self.size if stop is None else min(stop, self.size)
        more = len(needle) - 1
        is_in = presence.test_of(needle)
        while start < stop:
            chunk = self.read(start, min(start + _CHUNK + more, stop))
            found = chunk.find(needle) if is_in(chunk) else -1
            while found >= 0:
                yield start + found
                found = chunk.find(needle, found + 1)
            start += _CHUNK

    def rfind(self, needle: bytes, stop: int | None = None) -> int:
        """Return where a piece of text begins for the last time, before a place; -1 where it is not."""
        stop = self.size if stop is None else min(stop, self.size)
        more = len(needle) - 1
        while stop > 0:
            start = max(stop - _CHUNK - more, 0)
            found = self.read(start, stop).rfind(needle)
            if found >= 0:
                return start + found
            stop = start + more if start else 0
        return -1

    def line_at(self, offset: int) -> tuple[int, bytes]:
        """Return the line that a place lies in, up to `LINE_LIMIT`, and where it begins."""
        start = self._start_of(offset)
        return start, self._line(start)

    def matching(
        self, needle: bytes, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes, int]]:
        """Yield each line that has a text between two places: where it begins, it, where in it the text is.

        A line that has it several times comes once.
        """
        past = 0
        for found in self.find(needle, start, stop):
            if found < past:
                continue
            begin = self._start_of(found, past)
            line = self._line(begin)
            past = begin + len(line) if len(line) < LINE_LIMIT else self._end_of(found)
            if found - begin < len(line):
                yield begin, line, found - begin

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that begin between two places, without their ends, up to `LINE_LIMIT` of each."""
        stop = self.size if stop is None else min(stop, self.size)
        at = start if start == 0 else self._end_of(start - 1) + 1
        step = _FIRST_CHUNK  # a few lines are asked for as often as all of them
        while at < stop:
            chunk = self.read(at, at + step)
            last = chunk.rfind(b"\n")
            whole = len(chunk) < step
            step = min(step * 4, _CHUNK)
            if last < 0:
                if not chunk:
                    return
                if len(chunk) < LINE_LIMIT and not whole:
                    continue
                yield at, chunk[:LINE_LIMIT]
                at = self._end_of(at + len(chunk)) + 1
                continue
            for line in chunk[:last].split(b"\n"):
                if at >= stop:
                    return
                yield at, line[:LINE_LIMIT]
                at += len(line) + 1

    def reader(self) -> Reader:
        """Return what reads this log's lines, for one way through them."""
        dated, since = (True, None) if self.host else self._dates
        return Reader(
            self.name,
            host=self.host,
            newest=self._newest,
            zone=self._zone,
            since=since,
            dated=dated,
            unread=self.unread,
        )

    @cached_property
    def _dates(self) -> tuple[bool, datetime | None]:
        """Whether lines of this log have times, and the first of them, where it is near its beginning."""
        reader = Reader(self.name, newest=self._newest, zone=self._zone)
        for step in range(_PLACES):
            timed = self._timed(reader, self.size * step // _PLACES, self.size)
            if timed is not None:
                return True, timed[0] if step == 0 else None
        return not self.size, None

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield what the lines that begin between two places say."""
        reader = self.reader()
        for offset, line in self.lines(start, stop):
            if (entry := reader.entry(line, offset)) is not None:
                yield entry

    def entry_of(self, reader: Reader, offset: int, line: bytes) -> Entry | None:
        """Return what one line says; where it has no time, it gets that of a line before it."""
        if self._is_dated and _time_of(reader, line) is None:
            for before, earlier in self.lines(max(offset - _FIRST_CHUNK, 0), offset):
                reader.entry(earlier, before)
        return reader.entry(line, offset)

    def offset_at(self, moment: datetime) -> int:
        """Return where the first line begins that is not older than a moment.

        Where clocks were set back, it is one of the places that would do.
        """
        if not self._is_dated:
            place = undated.place_at(moment)
            return self._start_of(place) if place < self.size else self.size
        reader = self.reader()
        low, high = 0, self.size
        while low < high:
            middle = self._start_of((low + high) // 2)
            timed = self._timed(reader, max(middle, low), high)
            if timed is None:
                high = max(middle, low)
            elif timed[0] < moment:
                low = timed[1]
            else:
                high = max(middle, low)
        return low

    @property
    def _is_dated(self) -> bool:
        return bool(self.host) or self._dates[0]

    def _timed(self, reader: Reader, start: int, stop: int) -> tuple[datetime, int] | None:
        """Return the time of the first line that has one, and where the line after it begins."""
        for count, (offset, line) in enumerate(self.lines(start, stop)):
            if (at := _time_of(reader, line)) is not None:
                return at, offset + len(line) + 1 if len(line) < LINE_LIMIT else self._end_of(offset) + 1
            if count > _TIMELESS:
                break
        return None

    def _line(self, start: int) -> bytes:
        """Return the line that begins at a place."""
        piece = self.read(start, start + 1024)
        end = piece.find(b"\n")
        if end < 0 and len(piece) == 1024:  # noqa: PLR2004  # most lines are short
            piece = self.read(start, start + LINE_LIMIT)
            end = piece.find(b"\n")
        return piece[: LINE_LIMIT if end < 0 else min(end, LINE_LIMIT)]

    def _start_of(self, offset: int, floor: int = 0) -> int:
        """Return where the line begins that a place lies in; it is known not to begin before the floor."""
        step = 512
        while offset > floor:
            start = max(offset - step, floor)
            found = self.read(start, offset).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            offset, step = start, _CHUNK
        return offset

    def _end_of(self, offset: int) -> int:
        """Return where the line ends that a place lies in."""
        near = self.read(offset, offset + _FIRST_CHUNK).find(b"\n")
        return offset + near if near >= 0 else next(self.find(b"\n", offset), self.size)


def _time_of(reader: Reader, line: bytes) -> datetime | None:
    return reader.lines.time_of(line.decode("utf-8", "surrogateescape"))


@contextmanager
def open_logs(
    paths: Sequence[str], *, zone: tzinfo, stdin: BinaryIO | None = None
) -> Iterator[tuple[Log, ...]]:
    """Open logs as they are named on a command line; a file that is named twice is read once.

    Args:
        paths: Files, plain or packed, with lines in whatever wrapping, or an export; ``-`` is the standard
            input.
        zone: That of times that have none.
        stdin: The standard input.

    Raises:
        UsageError: A file is not there, can't be read, or is none.
        OutputError: There is no room to unpack a file.
    """
    seen: set[object] = set()
    with ExitStack() as stack:
        logs: list[Log] = []
        for path in paths:
            stream, key = _opened(path, stdin or sys.stdin.buffer, stack)
            if key not in seen:
                seen.add(key)
                logs.append(_log(path, stream, zone, stack))
        yield tuple(logs)


def _opened(path: str, stdin: BinaryIO, stack: ExitStack) -> tuple[BinaryIO, object]:
    """Open a file, and tell what identifies it."""
    if path == "-":
        return stdin, path
    try:
        stream = stack.enter_context(plainfile.opened(path, buffering=0))
        status = os.fstat(stream.fileno())
    except FileNotFoundError as error:
        raise UsageError(f"There is no log file {path}.", hint="ls -l /var/log/mail*") from error
    except IsADirectoryError as error:
        raise UsageError(
            f"{path} is a directory, not a log file.", hint=f"labctl trace --logs {path}/*"
        ) from error
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The log file {path} can't be read: {getattr(error, 'strerror', None) or error}.",
            hint=f"ls -l {path}  # who may read it? Mail logs are often for root only.",
        ) from error
    return stream, (status.st_dev, status.st_ino)


def _log(path: str, stream: BinaryIO, zone: tzinfo, stack: ExitStack) -> Log:
    newest = datetime.now(UTC)
    name = "standard input" if path == "-" else path
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # a stream in memory, as in tests
        status = None
    if path != "-" and status is not None and stat.S_ISREG(status.st_mode):
        newest = datetime.fromtimestamp(status.st_mtime, UTC)
        if is_plain(os.pread(stream.fileno(), HEAD, 0), path):
            return Log.of_file(name, stream, newest=newest, zone=zone)
    spooled = spool(stream, name)
    stack.callback(spooled.file.close)
    return Log.of_file(name, spooled.file, newest=newest, zone=zone, damage=spooled.damage)
