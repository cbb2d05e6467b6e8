"""The queue files that a message was in, and how it went from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.mail.log.journal import Journal
from labctl.trace.logs.part import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from labctl.mail.log.logevent import NonDelivery
    from labctl.mail.log.queuefile import QueueFile
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.part import Part


class QueueFiles:
    """All queue files that some lines tell of.

    Args:
        journal: What the lines say.
        parts: The lines that name each queue file.
    """

    def __init__(self, journal: Journal, parts: Mapping[QueueFile, Part]) -> None:
        self.journal = journal
        self._parts = parts

    @classmethod
    def of(cls, entries: Iterable[Entry], hosts: Mapping[str, str]) -> QueueFiles:
        """Take in lines.

        Args:
            entries: The lines, in the order of time.
            hosts: Host names by IP address, as far as they are known.
        """
        journal = Journal(max_queue_ids=None, hosts=hosts)
        return cls(journal, parts_of(entries, journal))

    def __iter__(self) -> Iterator[Part]:
        """Iterate over the parts, in the order of time."""
        return iter(self._parts.values())

    def onward(self, part: Part) -> tuple[Part, ...]:
        """Return the queue files that a queue file's message went into."""
        return tuple(self._parts[file] for file in dict.fromkeys(self.journal.after(part.file)))

    def whole(self, roots: Iterable[Part]) -> dict[Part, int]:
        """Return all queue files from some on, each with the number of steps that lead to it."""
        found = dict.fromkeys(roots, 0)
        ahead = list(found)
        while ahead:
            part = ahead.pop(0)
            for after in self.onward(part):
                if after not in found:
                    found[after] = found[part] + 1
                    ahead.append(after)
        return found

    def messages(self, wanted: Iterable[Part]) -> list[tuple[Part, ...]]:
        """Return the messages that some queue files are parts of: of each, those that it came in as."""
        found: dict[tuple[Part, ...], None] = {}
        for part in wanted:
            if (message := self.journal.message_of(part.file)) is not None:
                found[tuple(self._parts[file] for file in message.roots)] = None
        return sorted(found, key=lambda roots: roots[0].first_at)

    def written(self, part: Part, at: datetime, event: NonDelivery) -> Part | None:
        """Return the queue file of a notification that was written at some time."""
        file = self.journal.written(part.file, at, event)
        return self._parts.get(file) if file is not None else None
