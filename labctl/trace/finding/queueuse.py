"""The uses of a queue id on a host: Postfix gives an id out again once its message is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import Accepted, Queued, Received, Removed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from labctl.trace.logs.entry import Entry

SLACK: Final = timedelta(seconds=5)
"""How far clocks may differ, and lines may come late."""
_LATE: Final = timedelta(seconds=1)


@dataclass(eq=False, slots=True)
class QueueUse:
    """The lines of one message in one queue file."""

    host: str
    queue_id: str
    entries: list[Entry] = field(default_factory=list)
    message_id: str | None = None
    """None where no line tells it; empty where it has none."""
    begun: bool = False
    """Whether its first line is here."""
    closed: bool = False
    """Whether its last line is here."""
    level: int = 0
    """0 is the message itself, 1 a notification about it, 2 one about that; -1 what 0 is itself about."""

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
        return self.first_at - SLACK <= at and (not self.closed or at <= self.last_at + SLACK)

    def distance(self, at: datetime) -> timedelta:
        """Return how far a time is from when the message was in it."""
        return max(self.first_at - at, at - self.last_at, timedelta())

    def add(self, entry: Entry) -> None:
        """Take in the next line."""
        self.entries.append(entry)
        match entry.event:
            case Received():
                self.begun = True
            case Queued():
                self.begun = True
                if self.message_id is None:
                    self.message_id = normal_message_id(entry.event.message_id)
            case Removed():
                self.closed = True
            case _:
                pass

    def may_hold(self, message_id: str | None) -> bool:
        """Whether it may be the message of a Message-ID, or of an unknown one."""
        return not message_id or not self.message_id or self.message_id == message_id


def uses_of(queue_id: str, entries: Iterable[Entry]) -> list[QueueUse]:
    """Split lines into the uses of a queue id.

    Args:
        queue_id: The id; lines of others are left out.
        entries: The lines, in the order of time.
    """
    uses: list[QueueUse] = []
    last: dict[str, QueueUse] = {}
    for entry in entries:
        if entry.queue_id != queue_id:
            continue
        use = last.get(entry.host)
        if use is None or _is_next(use, entry):
            use = last[entry.host] = QueueUse(entry.host, queue_id)
            uses.append(use)
        use.add(entry)
    return uses


def _is_next(use: QueueUse, entry: Entry) -> bool:
    """Whether a line is of the use after this one."""
    begins = isinstance(entry.event, Received | Queued)
    if use.closed:
        return begins or entry.at > use.last_at + _LATE
    # An end may be missing, as where a log was lost; a message that is in the queue does not arrive again.
    return begins and any(isinstance(each.event, Accepted) for each in use.entries)
