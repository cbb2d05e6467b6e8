"""The queue files that a message was in, and how it went from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from labctl.mail.log.journal import Journal, QueueFile
from labctl.mail.log.logevent import (
    Accepted,
    Delivery,
    Discarded,
    Held,
    NonDelivery,
    Received,
    Rejected,
    Remark,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from labctl.trace.logs.entry import Entry

_SLACK: Final = 2.0
"""Seconds by which a host may log the arrival of a message later than its sender logs that it was taken."""


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
    def received(self) -> Received | None:
        """How it was taken in; None where the log does not have it."""
        return next((each.event for each in self.entries if isinstance(each.event, Received)), None)

    @property
    def mail_from(self) -> str | None:
        """The envelope's sender; None where the log does not have it."""
        for each in self.entries:
            if isinstance(each.event, Accepted):
                return each.event.mail_from
            if isinstance(each.event, Rejected | Held | Discarded) and each.event.mail_from is not None:
                return each.event.mail_from
        return None

    @property
    def named_recipients(self) -> tuple[str, ...]:
        """The recipients that are told outside of attempts: of what was held, thrown away or refused."""
        named = (
            each.event.rcpt_to
            for each in self.entries
            if isinstance(each.event, Held | Discarded | Rejected)
            and getattr(each.event, "stage", "") != "RCPT"
        )
        return tuple(dict.fromkeys(each for each in named if each))

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
        self.journal = Journal(max_queue_ids=1 << 62)
        self._hosts = hosts
        self._parts: dict[QueueFile, Part] = {}
        for entry in entries:
            self._take(entry)
        self._filtered: dict[str, list[Part]] = {}
        self._alike: dict[str, list[Part]] = {}
        for part in self._parts.values():
            self._alike.setdefault(part.message_id, []).append(part)
            if (received := part.received) is not None and received.filtered_from is not None:
                self._filtered.setdefault(received.filtered_from, []).append(part)
        self._onward: dict[Part, tuple[Part, ...]] = {
            part: tuple(self._told(part)) for part in self._parts.values()
        }
        told = {after for onward in self._onward.values() for after in onward}
        for part in self._parts.values():
            if part not in told and (before := self._inferred(part)) is not None:
                self._onward[before] = (*self._onward[before], part)

    def __iter__(self) -> Iterator[Part]:
        """Iterate over the parts, in the order of time."""
        return iter(self._parts.values())

    def _take(self, entry: Entry) -> None:
        event = entry.event
        queue_id = getattr(event, "queue_id", None) or entry.queue_id
        if queue_id is None:
            return
        if event is not None and not isinstance(event, Remark):  # which may come after its message is gone
            self.journal.feed(entry.host, entry.at, event)  # type: ignore[arg-type]  # what has a queue id is Postfix's
        if (file := self.journal.last(entry.host, queue_id)) is not None:
            self._parts.setdefault(file, Part(file)).entries.append(entry)

    def onward(self, part: Part) -> tuple[Part, ...]:
        """Return the queue files that a queue file's message went into."""
        return self._onward[part]

    def whole(self, root: Part) -> dict[Part, int]:
        """Return all queue files from one on, each with the number of steps that lead to it."""
        found = {root: 0}
        ahead = [root]
        while ahead:
            part = ahead.pop(0)
            for after in self._onward[part]:
                if after not in found:
                    found[after] = found[part] + 1
                    ahead.append(after)
        return found

    def roots(self, wanted: Iterable[Part]) -> tuple[Part, ...]:
        """Return the first queue files of the messages that some queue files are parts of."""
        before = {after: part for part, onward in self._onward.items() for after in onward if after != part}
        found: dict[Part, None] = {}
        for each in wanted:
            part, passed = each, {each}
            while (earlier := before.get(part)) is not None and earlier not in passed:
                part = earlier
                passed.add(part)
            found[part] = None
        return tuple(sorted(found, key=lambda part: part.first_at))

    def written(self, part: Part, event: NonDelivery) -> Part | None:
        """Return the queue file of a notification."""
        file = self.journal.last(part.file.host, event.dsn_queue_id)
        return self._parts.get(file) if file is not None else None

    def _told(self, part: Part) -> Iterator[Part]:
        """Yield the queue files that the log itself says this one's message went into."""
        if part.file.requeued_as is not None:
            yield self._parts[part.file.requeued_as]
        seen: set[QueueFile] = set()
        for _, delivery in part.deliveries():
            file = self.journal.onward(part.file, delivery, part.message_id)
            if file is not None and file not in seen and file in self._parts:
                seen.add(file)
                yield self._parts[file]
        for other in self._filtered.get(part.file.queue_id, ()):
            if other is not part and other.file not in seen and _same_message(part, other):
                yield other

    def _inferred(self, part: Part) -> Part | None:
        """Find whom a queue file came from, where no line says it: the sender lost the connection, perhaps.

        It must be the same message, from that host, while that host still had it.
        """
        received = part.received
        if received is None or not received.client or not part.message_id:
            return None
        name, _, rest = received.client.partition("[")
        known = self._hosts.get(rest.rstrip("]"), name).casefold()
        for other in self._alike[part.message_id]:
            if other.file.host == part.file.host:
                continue
            if known not in {other.file.host.casefold(), *_first_labels(known, other.file.host)}:
                continue
            if not any(True for _ in other.deliveries()) and other.file.closed:
                continue
            early, late = (part.first_at - other.first_at).total_seconds(), (part.first_at - other.last_at)
            if early >= -_SLACK and (not other.file.closed or late.total_seconds() <= _SLACK):
                return other
        return None


def _same_message(one: Part, other: Part) -> bool:
    return not one.message_id or not other.message_id or one.message_id == other.message_id


def _first_labels(known: str, host: str) -> tuple[str, ...]:
    """Return the name again where a log knows its host by the first label only."""
    host = host.partition("/")[0].casefold()
    return (known,) if "." not in host and known.partition(".")[0] == host else ()
