"""One use of a queue id on one host: what its lines say of the message that is in it, line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import (
    Accepted,
    ConnectionLost,
    Delivery,
    DeliveryStatus,
    Discarded,
    Event,
    Expired,
    Held,
    NonDelivery,
    Pipelined,
    Queued,
    Received,
    Rejected,
    Released,
    Removed,
)
from labctl.mail.state import MessageState, is_final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_FILE: Final = 1300
_COPY: Final = 700
"""Roughly the bytes of memory that a queue file and a copy take, without their texts (measured)."""

_STATES: Final[dict[str, MessageState]] = {
    DeliveryStatus.SENT: MessageState.RELAYED,  # until a mailbox took it: sent is not delivered
    DeliveryStatus.DEFERRED: MessageState.DEFERRED,
    DeliveryStatus.SOFTBOUNCE: MessageState.DEFERRED,
    DeliveryStatus.BOUNCED: MessageState.BOUNCED,
}
_PROBES: Final = (DeliveryStatus.DELIVERABLE, DeliveryStatus.UNDELIVERABLE)
_STILL_THERE: Final = (MessageState.SUBMITTED, MessageState.QUEUED)
_NEVER_QUEUED: Final = (MessageState.DISCARDED, MessageState.REJECTED)
_WAITING: Final = (MessageState.DEFERRED, MessageState.HELD)

_LATE: Final = (Removed, ConnectionLost, Pipelined)
"""What may be said of a message that is gone, and is no beginning of another's."""
_NORMAL_ID: Final = re.compile(r"<[!-;=@-~]++>")
"""A Message-ID as it should be, as nearly all are."""


@dataclass(slots=True, eq=False)
class Copy:
    """What was last tried for one recipient of a queue file, or that the recipient was refused."""

    at: datetime
    recipient: str
    orig_to: str | None
    state: MessageState
    """What is known by the attempt alone."""
    dsn: str | None
    reason: str
    program: str = ""
    """The delivery agent."""
    relay: str = ""
    next_id: str | None = None
    """Under which id the next queue holds it."""

    @classmethod
    def of(cls, at: datetime, event: Delivery) -> Self:
        """Take down an attempt."""
        state = _STATES.get(event.status, MessageState.UNKNOWN)
        program, next_id = event.program, event.next_queue_id
        if state is not MessageState.RELAYED:
            next_id = None
        elif program == "discard":
            state = MessageState.DISCARDED
        elif next_id is None and program != "smtp":
            # LMTP's acceptance is the mailbox's own (RFC 2033, section 4.2), and other agents deliver
            # themselves.
            state = MessageState.DELIVERED
        return cls(
            at,
            event.recipient,
            event.orig_to,
            state,
            event.dsn,
            event.reply_text,
            program,
            event.relay,
            next_id,
        )

    @classmethod
    def refused(cls, at: datetime, event: Rejected) -> Self:
        """Take down that a recipient was refused."""
        reply = event.reply
        return cls(at, event.rcpt_to or "", None, MessageState.REJECTED, reply.dsn, str(reply))

    @staticmethod
    def key(event: Delivery) -> object:
        """Return what tells a recipient's copy from others of its queue file."""
        return event.recipient if event.orig_to is None else (event.recipient, event.orig_to)

    @property
    def original(self) -> str:
        """To whom it was sent, before an alias was expanded here."""
        return self.recipient if self.orig_to is None else self.orig_to

    @property
    def size(self) -> int:
        """Roughly the bytes of memory that it takes."""
        return _COPY + len(self.recipient) + len(self.reason)


@dataclass(slots=True, eq=False)
class QueueFile:
    """One use of a queue id on one host, and what is known of it.

    It holds the last attempt for each recipient, not every attempt, so that it does not grow with retries:
    where all messages of large logs are listed, there are very many.
    """

    host: str
    queue_id: str
    first_at: datetime
    last_at: datetime
    message_id: str | None = None
    """Empty where it has none; None where none was told."""
    mail_from: str | None = None
    """The envelope's sender; empty for the null sender, None where none was told."""
    client: str = ""
    """Who handed it in by SMTP."""
    caller: str = ""
    """The name of that host, as far as it is known."""
    nrcpt: int = 0
    """The most that the queue manager counted: at a retry it counts only who is left."""
    state: MessageState = MessageState.SUBMITTED
    """What is true of the copies that are still in it; `reason`, `dsn` and `since` belong to it."""
    reason: str | None = None
    dsn: str | None = None
    since: datetime | None = None
    copies: dict[object, Copy] = field(default_factory=dict)
    """By recipient and original recipient."""
    refused: list[Copy] = field(default_factory=list)
    """Recipients that were refused when it was taken in."""
    named: dict[str, None] = field(default_factory=dict)
    """The recipients of what was held, thrown away or refused as a whole, and who was only asked for."""
    notices: list[tuple[datetime, NonDelivery]] = field(default_factory=list)
    """What bounce(8) wrote about it."""
    about: str | None = None
    """What it notifies of: a Message-ID, or a queue id where that has none."""
    began: bool = False
    """Whether its beginning was read."""
    closed: bool = False
    """Whether it left the queue, or its id was given out again."""
    probe: bool = False
    """Whether it only asked for an address (verify(8), ``sendmail -bv``)."""
    requeued_as: QueueFile | None = None
    requeued_from: QueueFile | None = None
    filtered_from: str | None = None
    """The queue id of what a content filter took and gave back as this."""
    size: int = _FILE
    """Roughly the bytes of memory that it takes."""

    def take(self, at: datetime, event: Event) -> None:
        """Take in what the host's log says next of this file."""
        self.last_at = at
        if (take := _TAKERS.get(type(event))) is not None:
            take(self, at, event)

    def is_before(self, at: datetime, event: Event) -> bool:
        """Whether a line is of the id's next use, not of this one.

        Postfix uses an id again once its message is gone, and a log may not have it that it went. A message
        comes in once, and has one Message-ID; what is in the queue is not told its own again. What is there
        twice, as where two files have the same lines, is no other message's: an id is not given out twice at
        one time.
        """
        if isinstance(event, Received):
            return at != self.first_at or event.client != self.client
        if self.closed:
            return type(event) not in _LATE
        if not isinstance(event, Queued):
            return False
        if self.message_id is None:
            return self.nrcpt > 0 or bool(self.copies)
        return _normal(event.message_id) != self.message_id

    def may_hold(self, message_id: str | None) -> bool:
        """Whether this may be the message with that Message-ID; where either is not known, it may."""
        return not message_id or not self.message_id or message_id == self.message_id

    def decide(self, at: datetime, state: MessageState, reason: str | None = None) -> None:
        """Take down what is true from now on of the copies that are still in it."""
        self.size += len(reason or "") - len(self.reason or "")
        self.state, self.since, self.reason = state, at, reason

    @property
    def over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.closed or self.state in _NEVER_QUEUED

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

    def copies_for(self, address: str) -> list[Copy]:
        """Return what an address's message became here: an alias or a list has several copies."""
        every = list(self.copies.values())
        if len(every) == 1 and every[0].original == address:
            return every
        wanted = address.casefold()
        own = [copy for copy in every if copy.original.casefold() == wanted]
        own = own or [copy for copy in every if copy.recipient.casefold() == wanted]
        # Rewriting may have changed the address; a message for one recipient is still theirs.
        return own or (every if self.nrcpt == 1 else [])

    def outcome(self, copy: Copy) -> tuple[MessageState, str | None]:
        """Tell what the last attempt means for a copy, and why."""
        if copy.state is MessageState.DEFERRED and self.state not in _STILL_THERE:
            # Since then the file expired, or was held or removed; why it expired is the last attempt's to
            # say.
            expired = self.state is MessageState.EXPIRED
            return self.state, copy.reason if expired else self.reason or copy.reason
        return copy.state, copy.reason

    def _received(self, _: datetime, event: Received) -> None:
        self.began = True
        self.client, self.filtered_from = event.client, event.filtered_from

    def _queued(self, at: datetime, event: Queued) -> None:
        self.began = True
        if self.message_id is None:
            self.message_id = _normal(event.message_id)
            self.size += len(self.message_id)
        if self.state is MessageState.SUBMITTED:
            self.state, self.since = MessageState.QUEUED, at

    def _accepted(self, at: datetime, event: Accepted) -> None:
        self._name(event.mail_from, None)
        self.nrcpt = max(self.nrcpt, event.nrcpt)
        self.state, self.since, self.reason = MessageState.QUEUED, at, None

    def _delivery(self, at: datetime, event: Delivery) -> None:
        if event.status in _PROBES:
            self.probe = True
            self._name(None, event.recipient)
            return
        copy = Copy.of(at, event)
        key = Copy.key(event)
        if (known := self.copies.get(key)) is not None:
            self.size -= known.size
        self.copies[key] = copy
        self.size += copy.size

    def _removed(self, at: datetime, event: Removed) -> None:
        if not self.closed and not is_final(self.state):
            self.decide(at, MessageState.UNKNOWN, f"removed from the queue by {event.by}")
        self.closed = True

    def _expired(self, at: datetime, event: Expired) -> None:
        self._name(event.mail_from, None)
        self.decide(at, MessageState.EXPIRED, "returned to sender")

    def _held(self, at: datetime, event: Held) -> None:
        self._name(event.mail_from, event.rcpt_to)
        self.decide(at, MessageState.HELD, event.reason)

    def _released(self, at: datetime, _: Released) -> None:
        self.decide(at, MessageState.QUEUED)

    def _discarded(self, at: datetime, event: Discarded) -> None:
        self._name(event.mail_from, event.rcpt_to)
        self.decide(at, MessageState.DISCARDED, event.reason)

    def _rejected(self, at: datetime, event: Rejected) -> None:
        self.began = True  # it has an id, and was refused all the same: this is its session
        copy = Copy.refused(at, event)
        if event.stage == "RCPT":
            self._name(event.mail_from, None)
            self.refused.append(copy)
            self.size += copy.size
            return
        self._name(event.mail_from, event.rcpt_to)
        self.decide(at, MessageState.REJECTED, copy.reason)
        self.dsn = copy.dsn

    def _non_delivery(self, at: datetime, event: NonDelivery) -> None:
        self.notices.append((at, event))
        self.size += _COPY

    def _name(self, mail_from: str | None, recipient: str | None) -> None:
        """Take down whom a line names that is about the message as a whole."""
        if self.mail_from is None and mail_from is not None:
            self.mail_from = mail_from
            self.size += len(mail_from)
        if recipient and recipient not in self.named:
            self.named[recipient] = None
            self.size += len(recipient)


def _normal(message_id: str) -> str:
    return message_id if _NORMAL_ID.fullmatch(message_id) else normal_message_id(message_id)


_TAKERS: Final[dict[type, Callable[..., None]]] = {
    Accepted: QueueFile._accepted,  # noqa: SLF001  # its own, one for each kind of event
    Delivery: QueueFile._delivery,  # noqa: SLF001
    Discarded: QueueFile._discarded,  # noqa: SLF001
    Expired: QueueFile._expired,  # noqa: SLF001
    Held: QueueFile._held,  # noqa: SLF001
    NonDelivery: QueueFile._non_delivery,  # noqa: SLF001
    Queued: QueueFile._queued,  # noqa: SLF001
    Received: QueueFile._received,  # noqa: SLF001
    Rejected: QueueFile._rejected,  # noqa: SLF001
    Released: QueueFile._released,  # noqa: SLF001
    Removed: QueueFile._removed,  # noqa: SLF001
}
KINDS: Final = frozenset({*_TAKERS, *_LATE})
"""The kinds of events that tell of a queue file, or of what never became one."""
