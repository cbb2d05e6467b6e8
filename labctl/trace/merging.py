"""The entries of several logs in the order of time."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

from labctl.mail.maillog import event_from, split_queue_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.trace.entry import Entry, LogEvent
    from labctl.trace.log import Log

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_CLASSIC: Final = 15
"""The length of ``Nov 24 10:00:00``."""
_LONGEST_PID: Final = 11
_MOST_HEADS: Final = 1000
_NO_QUEUE_ID: Final = frozenset({b"warning", b"fatal", b"error", b"panic", b"statistics", b"daemon"})
_DOVECOT: Final = re.compile(rb"[^\[{]*? dovecot: ")


@dataclass(slots=True, eq=False)
class Said:
    """What a table needs of an `Entry`: there are so many that the rest costs too much."""

    at: datetime
    host: str
    pid: int
    event: LogEvent


def merged(logs: Sequence[Log]) -> Iterator[Entry | Said]:
    """Yield what may tell of messages in some logs, in the order of time.

    Where two logs overlap, entries are taken from the one that is behind until it is ahead; where their times
    are the same, the log that begins earlier comes first, so that what is one host's stays in its order.
    Logs are opened when their time has come: of many that follow each other, one is read at a time.
    """
    waiting = deque(sorted(_beginnings(logs)))
    running: list[tuple[datetime, int, Entry | Said, Iterator[Entry | Said]]] = []
    while waiting or running:
        while waiting and (not running or waiting[0][0] <= running[0][0]):
            number = waiting.popleft()[1]
            entries = _entries(logs[number])
            if (first := next(entries, None)) is not None:
                heappush(running, (first.at, number, first, entries))
        if running:
            yield from _run(running, waiting[0][0] if waiting else _NEVER)


def _run(
    running: list[tuple[datetime, int, Entry | Said, Iterator[Entry | Said]]], limit: datetime
) -> Iterator[Entry | Said]:
    """Yield entries of the log that is behind, up to a limit and until another is behind."""
    _, number, entry, entries = running[0]
    limit = min((limit, *(other[0] for other in running[1:3])))
    yield entry
    for entry in entries:
        if entry.at > limit:
            heapreplace(running, (entry.at, number, entry, entries))
            return
        yield entry
    heappop(running)


def _beginnings(logs: Sequence[Log]) -> Iterator[tuple[datetime, int]]:
    """Yield when each log begins, with its number; one that says nothing is left out."""
    for number, log in enumerate(logs):
        reader = log.reader()
        for offset, line in log.lines():
            if (entry := reader.entry(line, offset)) is not None:
                yield entry.at, number
                break


def _entries(log: Log) -> Iterator[Entry | Said]:
    """Yield what may tell of messages in one log.

    Most lines are in syslog's form, and what stands before the process id says whose they are. That is asked
    of the log's reader once for each text that stands there, and then only what differs is read.
    """
    reader = log.reader()
    known: dict[bytes, tuple[str, str]] = {}
    stamp = b""
    at: datetime | None = None
    for offset, line in log.lines():
        parts = parts_of(line)
        if parts is None:
            if _DOVECOT.match(line) is None and (entry := reader.entry(line, offset)) is not None:
                yield entry
            continue
        begin, end, word = parts
        if not word:
            continue
        length = _CLASSIC if line[_CLASSIC : _CLASSIC + 1] == b" " == line[3:4] else line.find(b" ")
        head = line[length:begin]
        whose = known.get(head)
        if whose is not None and line[:length] != stamp:
            stamp = line[:length]
            at = reader.lines.time_of(stamp.decode("ascii", "replace"))
        if whose is None or at is None:
            if (entry := reader.entry(line, offset)) is not None:
                if len(known) < _MOST_HEADS and (entry.queue_id or "").encode() == word:
                    known[head] = entry.host, entry.program
                yield entry
            continue
        queue_id, text = split_queue_id(line[end + 3 :].decode("utf-8", "surrogateescape").rstrip("\r\n"))
        if (event := event_from(whose[1], queue_id, text)) is not None:
            yield Said(at, whose[0], int(line[begin + 1 : end]), event)


def parts_of(line: bytes) -> tuple[int, int, bytes] | None:
    """Return where the process id's brackets stand in a line of syslog's form, and the word behind them.

    The word is empty where it surely is no queue id: such a line tells nothing of a message's fate, except
    one with ``NOQUEUE``. None for a line of another form.
    """
    end = line.find(b"]: ")
    if end < 0 or line[:1] == b"{":
        return None
    begin = line.rfind(b"[", 0, end)
    if end - begin > _LONGEST_PID or not line[begin + 1 : end].isdigit():
        return None
    colon = line.find(b":", end + 3, end + 40)
    word = line[end + 3 : colon] if colon > 0 else b""
    return begin, end, word if word.isalnum() and word not in _NO_QUEUE_ID else b""
