"""One queue file, with every line that names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from labctl.mail.log.journal import SLACK
from labctl.mail.log.logevent import Delivery, Event, NonDelivery, Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from labctl.mail.log.journal import Journal
    from labctl.mail.log.queuefile import QueueFile
    from labctl.trace.logs.entry import Entry


@dataclass(eq=False, slots=True)
class Part:
    """One queue file, with every line that names it."""

    file: QueueFile
    entries: list[Entry] = field(default_factory=list)
    level: int = 0
    """0 is the message itself, 1 a notification about it, 2 one about that; -1 what 0 is itself about."""

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

    def holds(self, at: datetime) -> bool:
        """Whether the message was in it at some time, as far as its lines tell."""
        begun = not self.file.began or self.first_at - SLACK <= at
        return begun and (not self.file.closed or at <= self.last_at + SLACK)

    def distance(self, at: datetime) -> timedelta:
        """Return how far a time is from when the message was in it."""
        return max(self.first_at - at, at - self.last_at, timedelta())

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


def parts_of(entries: Iterable[Entry], journal: Journal) -> dict[QueueFile, Part]:
    """Split lines into the queue files that they name.

    Args:
        entries: The lines, in the order of time; those that name none are left out.
        journal: Takes in what they say.
    """
    parts: dict[QueueFile, Part] = {}
    for entry in entries:
        taken(entry, journal, parts)
    return parts


def taken(entry: Entry, journal: Journal, parts: dict[QueueFile, Part]) -> QueueFile | None:
    """Add a line to the queue file that it names, and return that; None where it names none."""
    if (file := take(entry, journal)) is not None:
        parts.setdefault(file, Part(file)).entries.append(entry)
    return file


def take(entry: Entry, journal: Journal) -> QueueFile | None:
    """Take in what a line says, and return the queue file that it names; None where it names none."""
    event = entry.event
    if isinstance(event, Event) and not isinstance(event, Remark):  # which may come when all is over
        return journal.take(entry.host, entry.at, event, entry.pid)
    return journal.last(entry.host, entry.queue_id or "")
