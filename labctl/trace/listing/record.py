"""What the table of all messages remembers of each: little, since there may be very many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from labctl.mail.log.logevent import DeliveryStatus
from labctl.mail.state import MessageState
from labctl.trace.journey.gap import log_cut, lost_by

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.mail.log.logevent import Delivery
    from labctl.trace.journey.world import World

TEXT_LIMIT: Final = 1000
"""How much is kept of a text; nobody reads more of it in a table."""

_RECORD: Final = 1000
_COPY: Final = 550
"""Roughly the bytes of memory that a record and a copy take, without their texts (measured)."""

_STATES: Final[dict[str, MessageState]] = {
    DeliveryStatus.SENT: MessageState.RELAYED,  # until a mailbox took it: sent is not delivered
    DeliveryStatus.DEFERRED: MessageState.DEFERRED,
    DeliveryStatus.SOFTBOUNCE: MessageState.DEFERRED,
    DeliveryStatus.BOUNCED: MessageState.BOUNCED,
}
_WAITING: Final = (MessageState.DEFERRED, MessageState.HELD)


@dataclass(slots=True, eq=False)
class Copy:
    """The last attempt for one recipient of a queue file."""

    at: datetime
    recipient: str
    orig_to: str | None
    state: MessageState
    dsn: str | None
    reason: str
    next_id: str | None = None
    """Under which id the next queue holds it."""
    local: bool = False
    """Whether local(8) tried: it forwards to aliases and lists by a queue file for each."""

    @classmethod
    def of(cls, at: datetime, event: Delivery, world: World) -> Self:
        """Take down an attempt, and what is known by it alone."""
        state = _STATES.get(event.status, MessageState.UNKNOWN)
        next_id, reason = event.next_queue_id, event.reply_text[:TEXT_LIMIT]
        if state is not MessageState.RELAYED:
            next_id = None
        elif event.program == "discard":
            state = MessageState.DISCARDED
        elif next_id is None and event.program != "smtp":
            # LMTP's acceptance is the mailbox's own (RFC 2033, section 4.2), and other agents deliver
            # themselves.
            state = MessageState.DELIVERED
        elif (lost := lost_by(event.relay, at, world)) is not None:
            state, reason = MessageState.UNKNOWN, log_cut(*lost)
        local = event.program == "local"
        return cls(at, event.recipient, event.orig_to, state, event.dsn, reason, next_id, local)

    @property
    def size(self) -> int:
        """Roughly the bytes of memory that it takes."""
        return _COPY + len(self.recipient) + len(self.reason)


@dataclass(slots=True, eq=False)
class Refusal:
    """A message that was refused before it had a queue id."""

    host: str
    at: datetime
    mail_from: str | None
    copy: Copy
    told: bool = False
    """Whether a delivery tells of it."""


@dataclass(slots=True, eq=False)
class Record:
    """One use of a queue id on one host."""

    host: str
    queue_id: str
    first_at: datetime
    message: Message = field(init=False)
    message_id: str | None = None
    """Empty where it has none; None where none was told."""
    mail_from: str | None = None
    nrcpt: int = 0
    """The most that the queue manager counted: at a retry it counts only who is left."""
    state: MessageState = MessageState.SUBMITTED
    """What is true of the copies that are still in it; `reason`, `dsn` and `since` belong to it."""
    reason: str | None = None
    dsn: str | None = None
    since: datetime | None = None
    copies: dict[object, Copy] = field(default_factory=dict)
    """By recipient and original recipient."""
    refused: tuple[Copy, ...] = ()
    """Recipients that were refused when it was taken in."""
    named: str | None = None
    """The recipient of what was held, thrown away or refused as a whole."""
    onward: dict[str, Record | None] | None = None
    """What its message went into, by queue id; None for what was not found yet."""
    filtered_as: tuple[Record, ...] = ()
    requeued_as: Record | None = None
    about: str | None = None
    """What it notifies of: a Message-ID, or a queue id."""
    began: bool = False
    """Whether its beginning was read."""
    over: bool = False
    """Whether nothing more is expected of it."""
    closed: bool = False
    """Whether it left the queue: the id's next use is another message."""
    follows: bool = False
    """Whether it came from a record that is known."""
    probe: bool = False
    """Whether it only asked for an address (verify(8), ``sendmail -bv``)."""

    def __post_init__(self) -> None:
        self.message = Message([self], self.first_at, self.first_at)

    def become(self, state: MessageState, at: datetime, reason: str | None = None) -> None:
        """Tell what is true of the copies that are still in it."""
        self.state, self.since = state, at
        self.reason = reason if reason is None else reason[:TEXT_LIMIT]

    def name(self, mail_from: str | None, recipient: str | None) -> None:
        """Take down whom a line names that is about the message as a whole."""
        if self.mail_from is None and mail_from is not None:
            self.mail_from = mail_from[:TEXT_LIMIT]
        if self.named is None and recipient is not None:
            self.named = recipient[:TEXT_LIMIT]

    def may_hold(self, message_id: str | None) -> bool:
        """Whether this may be the message with that Message-ID; where either is not known, it may."""
        return not message_id or not self.message_id or message_id == self.message_id

    @property
    def untold(self) -> bool:
        """Whether it has recipients whom no attempt names."""
        return len(self.copies) < (self.nrcpt or 1)

    @property
    def incomplete(self) -> bool:
        """Whether its beginning or end was not read; what waits in the queue has no end yet."""
        if not self.began:
            return True
        if self.over:
            return self.nrcpt > len(self.copies) and self.state is MessageState.UNKNOWN
        return self.state is not MessageState.HELD and not any(
            copy.state in _WAITING for copy in self.copies.values()
        )


@dataclass(slots=True, eq=False)
class Message:
    """The records that belong together."""

    records: list[Record]
    first_at: datetime
    last_at: datetime
    open: int = 1
    """How many of its records are not over."""
    size: int = _RECORD
    """Roughly the bytes of memory that they take."""
    due: datetime | None = None
    """When it is told if no more is heard of it; None as long as a record is open."""

    def absorb(self, other: Message) -> None:
        """Take another message's records: they are the same message."""
        for record in other.records:
            record.message = self
        self.records += other.records
        self.open += other.open
        self.size += other.size
        self.first_at = min(self.first_at, other.first_at)
        self.last_at = max(self.last_at, other.last_at)

    @property
    def roots(self) -> list[Record]:
        """The records that it came in as."""
        found = [record for record in self.records if not record.follows]
        return found or self.records[:1]  # a loop has no beginning
