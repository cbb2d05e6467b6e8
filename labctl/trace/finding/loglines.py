"""The lines that were found in some logs, and how to look for more: in a window of time, or everywhere."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from labctl.trace.finding.needle import Likely
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.log import Log
    from labctl.trace.logs.reading import Reader

_SAMPLES: Final = 32
"""In how many places a log is looked at to tell whose it is."""
_SAMPLE: Final = 4
"""How many lines are read there."""
_EARLIEST: Final = 1900
_LATEST: Final = 9000
_NEAR: Final = 1 << 20
"""How many bytes before and after a line are near it."""


class LogLines:
    """Lines of several logs, each read once.

    Args:
        logs: The logs, each of its own name. In which order they come makes no difference.
    """

    def __init__(self, logs: Sequence[Log]) -> None:
        self._readers: dict[str, Reader] = {log.name: log.reader() for log in logs}
        self.logs = tuple(sorted(logs, key=lambda log: (_begin(log), log.name)))
        self._rank = {log.name: rank for rank, log in enumerate(self.logs)}
        self._read: dict[tuple[str, int], Entry | None] = {}
        self._taken: dict[tuple[int, int], tuple[Entry, object]] = {}
        self._places: dict[tuple[str, datetime], int] = {}
        self._hosts: dict[str, str] = {}

    def take(self, entry: Entry, owner: object) -> None:
        """Keep a line, and whose it is: the first owner's, where several take it."""
        self._taken.setdefault(self.place(entry), (entry, owner))

    def taken(self, depth: Callable[[object], int]) -> tuple[Entry, ...]:
        """Return what was kept by time, and within the same time by how deep its owner lies."""
        ranked = sorted(
            ((entry.at, depth(owner), place, entry) for place, (entry, owner) in self._taken.items()),
            key=lambda each: each[:3],
        )
        return tuple(entry for *_, entry in ranked)

    def place(self, entry: Entry) -> tuple[int, int]:
        """Return what sorts lines as they stand, whatever their times say: their log, then their offset."""
        return self._rank[entry.source], entry.offset

    def ordered(self, entries: Iterable[Entry]) -> list[Entry]:
        """Sort lines by time; those of the same time as they stand."""
        return sorted(entries, key=lambda entry: (entry.at, *self.place(entry)))

    def having(
        self,
        needle: bytes,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        host: str = "",
        likely: Likely | None = None,
        max_bytes: int | None = None,
    ) -> Iterator[Entry]:
        """Yield what the lines say that have a text, log by log.

        Args:
            needle: The text.
            since: Begin about here.
            until: End about here.
            host: Leave logs out that have only lines of other hosts.
            likely: Whether a line is worth reading, by itself and where in it the text is.
            max_bytes: Look through no more than so many.
        """
        for log in self.logs:
            if not host or self.only_host(log) in ("", host):
                start = 0 if since is None else self._place(log, since)
                stop = log.size if until is None else self._place(log, until)
                if max_bytes is not None:
                    stop = min(stop, start + max_bytes)
                    max_bytes -= max(stop - start, 0)
                yield from self._matching(log, needle, start, stop, likely)

    def last_having(self, needle: bytes, count: int, likely: Likely) -> list[Entry]:
        """Return what the last lines of each log say that have a text, at most so many of each, by time."""
        found: list[Entry | None] = []
        for log in self.logs:
            lines = ((offset, line) for offset, line, where in log.matching(needle) if likely(line, where))
            found += [self._entry(log, offset, line) for offset, line in deque(lines, maxlen=count)]
        return self.ordered(entry for entry in found if entry is not None)

    def before(self, entry: Entry, needle: bytes) -> Iterator[Entry]:
        """Yield what the lines say that have a text and stand near before a line, the nearest first."""
        log = self._log(entry)
        near = self._matching(log, needle, max(entry.offset - _NEAR, 0), entry.offset)
        return reversed([each for each in near if each.offset < entry.offset])

    def after(self, entry: Entry, needle: bytes) -> Iterator[Entry]:
        """Yield what the lines say that have a text and stand near after a line, the nearest first."""
        near = self._matching(self._log(entry), needle, entry.offset, entry.offset + _NEAR)
        return (each for each in near if each.offset > entry.offset)

    def is_near_begin(self, entry: Entry) -> bool:
        """Whether what is near before a line includes the log's beginning."""
        return entry.offset <= _NEAR

    def is_near_end(self, entry: Entry) -> bool:
        """Whether what is near after a line includes the log's end."""
        return entry.offset + _NEAR >= self._log(entry).size

    def within(self, log: Log, since: datetime, until: datetime) -> Iterator[Entry]:
        """Yield what all lines of a log say in a window of time."""
        for offset, line in log.lines(self._place(log, since), self._place(log, until) + 1):
            entry = self._entry(log, offset, line)
            if entry is not None and since <= entry.at <= until:
                yield entry

    def raw(self, entry: Entry) -> bytes:
        """Return the line that an entry was read from."""
        return self._log(entry).line_at(entry.offset)[1]

    def only_host(self, log: Log) -> str:
        """Return the one host that has lines in a log; nothing where there are several, or none is known."""
        if (known := self._hosts.get(log.name)) is None:
            known = self._hosts[log.name] = log.host or _sampled(log)
        return known

    def _log(self, entry: Entry) -> Log:
        return self.logs[self._rank[entry.source]]

    def _place(self, log: Log, moment: datetime) -> int:
        key = (log.name, moment)
        if (place := self._places.get(key)) is None:
            place = self._places[key] = log.offset_at(moment)
        return place

    def _matching(
        self, log: Log, needle: bytes, start: int, stop: int, likely: Likely | None = None
    ) -> Iterator[Entry]:
        for offset, line, where in log.matching(needle, start, stop):
            if likely is not None and not likely(line, where):
                continue
            if (entry := self._entry(log, offset, line)) is not None:
                yield entry

    def _entry(self, log: Log, offset: int, line: bytes) -> Entry | None:
        key = (log.name, offset)
        if key not in self._read:
            entry = log.entry_of(self._readers[log.name], offset, line)
            # A time that can't be reckoned with is none that a daemon wrote.
            sane = entry is not None and _EARLIEST < entry.at.year < _LATEST
            self._read[key] = entry if sane else None
        return self._read[key]


def _begin(log: Log) -> str:
    first = next(log.entries(0, _NEAR), None)
    return first.at.isoformat() if first is not None else ""


def _sampled(log: Log) -> str:
    found: set[str] = set()
    for step in range(_SAMPLES):
        for _, entry in zip(range(_SAMPLE), log.entries(log.size * step // _SAMPLES), strict=False):
            found.add(entry.host)
    return found.pop() if len(found) == 1 else ""
