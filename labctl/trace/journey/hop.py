"""What a trace is made of: hops, and the message they happened to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from labctl.contract.value import Unknown, Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.mail.content.dsn import Dsn
    from labctl.mail.log.delivery import RecipientState
    from labctl.mail.log.logevent import NotificationKind
    from labctl.mail.state import MessageState


LogTime: TypeAlias = Annotated[datetime, Unknown()]
"""A line's time; where the line has none, one that only keeps the order (`labctl.mail.log.undated`)."""


class HopEvent(StrEnum):
    """What happened to a message, in the order in which it mostly does; beside each, what its `detail` holds.

    Every `detail` holds ``lines``: the log lines that say so. Keys whose value is not known are missing.
    """

    SUBMITTED = "submitted"
    """The first MTA took it in: ``client``, ``sasl_username``, ``sasl_method``, ``tls``, ``uid``."""
    RECEIVED = "received"
    """A further MTA took it in: ``client``, ``tls``, ``filtered_from`` (the queue id before a filter)."""
    QUEUED = "queued"
    """``message_id``, ``mail_from``, ``size`` (bytes), ``nrcpt``."""
    RETRIED = "retried"
    """The queue manager took it up again: ``attempt`` (1 is the first retry)."""
    LOOKUP = "lookup"
    """A DNS answer: ``name``, ``type``, ``rcode``, ``records``, ``client``, ``asked_by`` (a host),
    ``duration`` (seconds), ``shared_with`` (Message-IDs of others whom it may have been for)."""
    UNREACHABLE = "unreachable"
    """A next host could not be reached: ``relay``, ``reason``."""
    RELAYED = "relayed"
    """A next host accepted it: the keys of an attempt, ``next_host``, ``next_queue_id``.

    An attempt's keys: ``recipient``, ``orig_to``, ``relay``, ``delay`` (seconds), ``delays``
    (``before_queue_manager``, ``in_queue``, ``connection``, ``transmission``, in seconds), ``dsn``,
    ``reply``, ``code`` (of SMTP), ``program``, ``tls``.
    """
    FORWARDED = "forwarded"
    """An alias or a list turned it into a new queue file: the keys of an attempt, ``next_queue_id``."""
    DELIVERED = "delivered"
    """A mailbox's server took it: the keys of an attempt."""
    DEFERRED = "deferred"
    """The keys of an attempt, ``attempt`` (0 is the first), ``next_try_at`` (a time), ``next_try_in`` and
    ``real_wait`` (seconds from this attempt to the next, here and by Postfix's rule in the real world)."""
    BOUNCED = "bounced"
    """The keys of an attempt."""
    EXPIRED = "expired"
    """``forced``, ``real_after`` (seconds after which the real world would give up)."""
    REJECTED = "rejected"
    """``stage``, ``client``, ``reply``, ``code``, ``dsn``, ``mail_from``, ``recipient``."""
    HELD = "held"
    """``reason``."""
    RELEASED = "released"
    DISCARDED = "discarded"
    """``reason``, or the keys of an attempt."""
    REMOVED = "removed"
    """It left the queue: ``by`` (qmgr when all was done; postsuper when an operator deleted it)."""
    NOTIFIED = "notified"
    """A notification about it was written: ``kind``, ``to``, ``next_queue_id``, ``message_id``."""
    INTERRUPTED = "interrupted"
    """A connection broke off: ``client`` or ``relay``, ``stage``, ``reason``."""
    REMARKED = "remarked"
    """A daemon said something of it that labctl does not read further."""
    STORED = "stored"
    """It lies in a mailbox: ``user``, ``mailbox``, ``session``."""
    REFUSED = "refused"
    """The MDA did not take it: ``user``, ``mailbox``, ``reason``."""
    FILTERED = "filtered"
    """A Sieve script acted on it: ``user``, ``action``, ``reason``."""
    SEEN = "seen"
    """A reader set its flag: ``user``, ``mailbox``, ``flags``, ``protocol``, ``session``, ``uid``."""
    FETCHED = "fetched"
    """A reader's session fetched mail, this message perhaps: ``user``, ``protocol``, ``session``, ``client``,
    ``headers``, ``bodies``, ``shared_with``."""
    COPIED = "copied"
    """``user``, ``mailbox``, ``destination``, ``protocol``, ``session``, ``uid``."""
    DELETED = "deleted"
    """It is gone from a mailbox: ``user``, ``mailbox``, ``protocol``, ``session``, ``uid``."""


class NoteKind(StrEnum):
    """What must be known of a message beside its state."""

    DUPLICATE = "duplicate"
    """One recipient got it more than once."""
    LOOP = "loop"
    """It came to the same host again."""
    VANISHED = "vanished"
    """It was accepted and thrown away, and nobody was told."""
    DOUBLE_BOUNCE = "double-bounce"
    """The notification itself could not be delivered."""
    INCOMPLETE = "incomplete"
    """The logs do not have its beginning or its end."""
    DUPLICATE_ID = "duplicate-id"
    """Another message has the same Message-ID."""
    NO_ID = "no-id"
    """It has no Message-ID."""
    ELSEWHERE = "elsewhere"
    """The log of the host that took it over is not here."""
    LOG_CUT = "log-cut"
    """A host that it came through has lost the lines of that time: its log was rotated away."""
    UNREAD = "unread"
    """A log, or some lines of it, could not be read."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing that happened to a message."""

    at: LogTime
    host: str
    event: HopEvent
    queue_id: Word | None
    text: str
    """One sentence for people."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What is known beside it; the log lines that say so are in ``lines``. What is not known is missing."""


@dataclass(frozen=True, slots=True)
class Note:
    """What must be known of a message beside its state."""

    kind: NoteKind
    text: Word


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification that an MTA wrote about a message, and what became of it."""

    kind: NotificationKind
    at: LogTime
    host: str
    queue_id: Word
    to: str
    """``sender`` or ``postmaster``."""
    message_id: str | None
    state: MessageState
    recipients: tuple[RecipientState, ...]
    hops: tuple[Hop, ...]
    """Its own journey back."""
    dsn: Dsn | None
    """What it says; None where nobody could read it."""


@dataclass(frozen=True, slots=True)
class QueueFileName:
    """Where a message was queued."""

    host: str
    queue_id: Word


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One message's journey."""

    message_id: str
    """With its brackets; empty where it has none, or where no log tells it."""
    state: MessageState
    """The least happy of its recipients'."""
    recipients: tuple[RecipientState, ...]
    hops: tuple[Hop, ...]
    """In the order of time."""
    bounce: Notice | None
    """The last notification of failure to the sender."""
    mail_from: str | None = None
    """The envelope's sender; empty for the null sender, None where no log tells it."""
    first_at: datetime | None = None
    last_at: datetime | None = None
    queue_ids: tuple[QueueFileName, ...] = ()
    notices: tuple[Notice, ...] = ()
    """All notifications about it: delays and successes too, and those to the postmaster."""
    notes: tuple[Note, ...] = ()
    about: str | None = None
    """In a list, of a notification: the Message-ID of what it tells of, or the queue id where it has none."""
