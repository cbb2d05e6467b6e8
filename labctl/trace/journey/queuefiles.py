"""The queue files that a message was in, and how it went from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labctl.mail.log.journal import Journal
from labctl.mail.log.logevent import Delivery, Event, NonDelivery, Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from labctl.mail.log.queuefile import QueueFile
    from labctl.trace.logs.entry import Entry


@dataclass(eq=False, slots=True)
class Part:
    """One queue file, with every line that names it."""

    file: QueueFile
    entries: list[Entry] = field(default_factory=list)

    @property
    def name(self) -> tuple[str, str]:
        """Its host and queue id."""
        return self.file.host, self.file.queue_id

    @property
    def message_id(self) -> str:
        """The Message-ID of what is in it; empty where it has none, or none was told."""
        return self.file.message_id or ""

    @property
    def first_at(self) -> datetime:
        """When it is first named."""
        return self.entries[0].at

    @property
    def last_at(self) -> datetime:
        """When it is last named."""
        return self.entries[-1].at

    def deliveries(self) -> Iterator[tuple[Entry, Delivery]]:
        """Yield the attempts to deliver it, in the order of time."""
        for each in self.entries:
            if isinstance(each.event, Delivery):
                yield each, each.event

    def notices(self) -> Iterator[tuple[Entry, NonDelivery]]:
        """Yield what was written about it, in the order of time."""
        for each in self.entries:
            if isinstance(each.event, NonDelivery):
                yield each, each.event


class QueueFiles:
    """All queue files that some lines tell of.

    Args:
        entries: The lines, in the order of time.
        hosts: Host names by IP address, as far as they are known.
    """

    def __init__(self, entries: Iterable[Entry], hosts: Mapping[str, str]) -> None:
        self.journal = Journal(max_queue_ids=None, hosts=hosts)
        self._parts: dict[QueueFile, Part] = {}
        for entry in entries:
            self._take(entry)

    def __iter__(self) -> Iterator[Part]:
        """Iterate over the parts, in the order of time."""
        return iter(self._parts.values())

    def _take(self, entry: Entry) -> None:
        event = entry.event
        queue_id = getattr(event, "queue_id", None) or entry.queue_id
        file = None
        if isinstance(event, Event) and not isinstance(
            event, Remark
        ):  # which may come after its message is gone
            file = self.journal.take(entry.host, entry.at, event, entry.pid)
        elif queue_id is not None:
            file = self.journal.last(entry.host, queue_id)
        if file is not None:
            self._parts.setdefault(file, Part(file)).entries.append(entry)

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
            files = self.journal.message_of(part.file)
            found[tuple(self._parts[file] for file in self.journal.roots(files))] = None
        return sorted(found, key=lambda roots: roots[0].first_at)

    def written(self, part: Part, at: datetime, event: NonDelivery) -> Part | None:
        """Return the queue file of a notification that was written at some time."""
        file = self.journal.written(part.file, at, event)
        return self._parts.get(file) if file is not None else None
