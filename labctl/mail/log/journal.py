"""What the logs of all hosts said so far, by host and queue id."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import (
    Accepted,
    Delivery,
    DeliveryStatus,
    Discarded,
    Event,
    Expired,
    Held,
    NonDelivery,
    Queued,
    Received,
    Rejected,
    Released,
    Removed,
)
from labctl.mail.state import MessageState, is_final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MAX_QUEUE_IDS: Final = 20_000
"""How many queue ids a journal remembers; the longest untouched are forgotten first."""

_PROBES: Final = (DeliveryStatus.DELIVERABLE, DeliveryStatus.UNDELIVERABLE)

Attempt: TypeAlias = "tuple[datetime, Delivery]"


@dataclass(slots=True, eq=False)
class QueueFile:
    """One use of a queue id on one host, and what is known of it.

    It holds the last attempt for each recipient, not every attempt, so that it does not grow with retries.
    """

    host: str
    queue_id: str
    message_id: str | None = None
    nrcpt: int = 0
    attempts: dict[tuple[str, str | None], Attempt] = field(default_factory=dict)
    notifications: list[tuple[datetime, NonDelivery]] = field(default_factory=list)
    begun: bool = False
    """Whether anything was said of it."""
    closed: bool = False
    requeued_as: QueueFile | None = None
    state: MessageState = MessageState.SUBMITTED
    """What is true of the copies that are still in it."""
    reason: str | None = None
    dsn: str | None = None
    since: datetime | None = None

    def add(self, at: datetime, event: Event) -> None:
        """Take in what the host's log says next of this file."""
        self.begun = True
        match event:
            case Delivery():
                if event.status not in _PROBES:
                    self.attempts[event.recipient, event.orig_to] = (at, event)
            case Queued():
                if self.message_id is None:
                    self.message_id = normal_message_id(event.message_id)
                if self.state is MessageState.SUBMITTED:
                    self._become(MessageState.QUEUED, at)
            case Accepted():
                self.nrcpt = event.nrcpt
                self._become(MessageState.QUEUED, at)
            case NonDelivery():
                self.notifications.append((at, event))
            case _:
                self._judge(at, event)

    def _judge(self, at: datetime, event: Event) -> None:
        match event:
            case Released():
                self._become(MessageState.QUEUED, at)
            case Held():
                self._become(MessageState.HELD, at, event.reason)
            case Discarded():
                self._become(MessageState.DISCARDED, at, event.reason)
            case Expired():
                self._become(MessageState.EXPIRED, at, "returned to sender")
            case Rejected() if event.stage != "RCPT":
                self._become(MessageState.REJECTED, at, str(event.reply))
                self.dsn = str(event.reply.enhanced) if event.reply.enhanced else None
            case Removed():
                self.closed = True
                if not is_final(self.state):
                    self._become(MessageState.UNKNOWN, at, f"removed from the queue by {event.by}")
            case _:
                pass

    def _become(self, state: MessageState, at: datetime, reason: str | None = None) -> None:
        self.state, self.reason, self.since = state, reason, at


class Journal:
    """The queue files of all hosts, bounded; what is not known to belong to a message yet is here too."""

    def __init__(self, *, max_queue_ids: int = MAX_QUEUE_IDS) -> None:
        self._files: OrderedDict[tuple[str, str], list[QueueFile]] = OrderedDict()
        self._hosts: dict[str, dict[str, None]] = {}
        self._max = max_queue_ids
        self.version = 0
        """Grows with every event taken in."""

    def feed(self, host: str, at: datetime, event: Event | None) -> None:
        """Take in what a host's log says; what concerns no queue file is left out."""
        if event is None or event.queue_id is None:
            return
        self.version += 1
        key = (host, event.queue_id)
        uses = self._files.get(key)
        if uses is None:
            uses = self._files[key] = []
            self._hosts.setdefault(event.queue_id, {})[host] = None
            if len(self._files) > self._max:
                self._forget_oldest()
        else:
            self._files.move_to_end(key)
        # Postfix uses an id again once its message is gone, and a log may not have it that it went.
        if not uses or uses[-1].closed or (isinstance(event, Received) and uses[-1].begun):
            uses.append(QueueFile(host, event.queue_id))
        uses[-1].add(at, event)
        if isinstance(event, Received) and event.original_queue_id is not None:
            before = self.last(host, event.original_queue_id)
            if before is not None and before is not uses[-1]:
                before.requeued_as = uses[-1]

    def _forget_oldest(self) -> None:
        (host, queue_id), _ = self._files.popitem(last=False)
        hosts = self._hosts[queue_id]
        del hosts[host]
        if not hosts:
            del self._hosts[queue_id]

    def hosts(self, queue_id: str) -> Iterator[str]:
        """Return the hosts that know a queue id."""
        return iter(self._hosts.get(queue_id, ()))

    def last(self, host: str, queue_id: str) -> QueueFile | None:
        """Return the latest use of a queue id on a host."""
        uses = self._files.get((host, queue_id))
        return uses[-1] if uses else None

    def holding(self, host: str, queue_id: str, message_id: str) -> QueueFile | None:
        """Return the latest use of a queue id that holds a message; failing that, one that may hold it.

        A use whose Message-ID is empty or not told yet may.
        """
        uses = self._files.get((host, queue_id), ())
        sure = (file for file in reversed(uses) if file.message_id == message_id)
        possible = (file for file in reversed(uses) if not file.message_id)
        return next(sure, None) or next(possible, None)

    def onward(self, file: QueueFile, delivery: Delivery, message_id: str) -> QueueFile | None:
        """Find the queue file that an accepted delivery went into.

        Two hosts may use the same id; it must be one that may hold this message.
        """
        queue_id = delivery.next_queue_id
        if queue_id is None:
            return None
        if delivery.program == "local":  # "forwarded as": the same host's next queue file
            return self.holding(file.host, queue_id, message_id)
        # False sorts first: a host that the relay names comes before those it does not.
        hosts = sorted(self.hosts(queue_id), key=lambda host: not delivery.relay.startswith(f"{host}["))
        holding = (self.holding(host, queue_id, message_id) for host in hosts)
        return next((found for found in holding if found is not None and found is not file), None)
