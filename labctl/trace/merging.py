"""The entries of several logs in the order of time."""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.trace.entry import Entry
    from labctl.trace.log import Log

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_NO_QUEUE_ID: Final = frozenset({b"warning", b"fatal", b"error", b"panic", b"statistics", b"daemon"})
_DOVECOT: Final = re.compile(rb"[^\[{]*? dovecot: ")


def merged(logs: Sequence[Log]) -> Iterator[Entry]:
    """Yield what may tell of messages in some logs, in the order of time.

    Where two logs overlap, entries are taken from the one that is behind until it is ahead; where their times
    are the same, the log that begins earlier comes first, so that what is one host's stays in its order.
    Logs are opened when their time has come: of many that follow each other, one is read at a time.
    """
    waiting = deque(sorted(_beginnings(logs)))
    running: list[tuple[datetime, int, Entry, Iterator[Entry]]] = []
    while waiting or running:
        while waiting and (not running or waiting[0][0] <= running[0][0]):
            number = waiting.popleft()[1]
            entries = _entries(logs[number])
            if (first := next(entries, None)) is not None:
                heappush(running, (first.at, number, first, entries))
        if running:
            yield from _run(running, waiting[0][0] if waiting else _NEVER)


def _run(running: list[tuple[datetime, int, Entry, Iterator[Entry]]], limit: datetime) -> Iterator[Entry]:
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


def _entries(log: Log) -> Iterator[Entry]:
    read = log.reader().entry
    for offset, line in log.lines():
        if tells_of_a_message(line) and (entry := read(line, offset)) is not None:
            yield entry


def tells_of_a_message(line: bytes) -> bool:
    """Whether a line may tell what Postfix did with a message; quickly, since most logs have many that don't.

    Doubtful lines do.
    """
    end = line.find(b"]: ")  # behind the process id of syslog's form
    if end < 0:
        return _DOVECOT.match(line) is None
    if line[:1] == b"{" or not line[line.rfind(b"[", 0, end) + 1 : end].isdigit():
        return _DOVECOT.match(line) is None
    colon = line.find(b":", end + 3, end + 40)
    if colon < 0:
        return False
    word = line[end + 3 : colon]
    return word.isalnum() and word not in _NO_QUEUE_ID
