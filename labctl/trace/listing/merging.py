"""The entries of several logs in the order of time."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

from labctl.mail.log.head import QUICK
from labctl.mail.log.maillog import event_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.trace.logs.entry import Entry, LogEvent
    from labctl.trace.logs.log import Log

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_MOST_HEADS: Final = 1000
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


def _entries(log: Log) -> Iterator[Entry | Said]:  # noqa: C901  # a call for each line costs much
    """Yield what may tell of messages in one log.

    Most lines are in syslog's form, and what stands before the process id says whose they are. That is asked
    of the log's reader once for each text that stands there, and then only what differs is read.
    """
    reader = log.reader()
    known: dict[bytes, tuple[str, str]] = {}
    last = b""
    at: datetime | None = None
    for offset, line in log.lines():
        if (match := QUICK.match(line)) is not None:
            classic, iso, head, pid, named, said = match.groups()
            if said is None:
                continue
            if (whose := known.get(head)) is not None:
                if (stamp := classic or iso) != last:
                    at = reader.lines.time_of(stamp.decode())
                    last = stamp
                if at is not None:
                    queue_id = None if named is None else named.decode()
                    text = said.decode("utf-8", "surrogateescape").rstrip("\r\n")
                    if (event := event_from(whose[1], queue_id, text)) is not None:
                        yield Said(at, whose[0], int(pid), event)
                    continue
        elif _DOVECOT.match(line) is not None:
            continue
        if (entry := reader.entry(line, offset)) is not None:
            if match is not None and entry.queue_id is not None and b"/" in head and len(known) < _MOST_HEADS:
                known[head] = entry.host, entry.program
            yield entry
