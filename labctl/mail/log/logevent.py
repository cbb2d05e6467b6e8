"""What Postfix's log lines say happened: one frozen value per kind of event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from labctl.mail.reply import SmtpReply


class DeliveryStatus(StrEnum):
    """The outcome of one delivery attempt, in Postfix's words."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    SOFTBOUNCE = "SOFTBOUNCE"
    """What would have bounced, kept in the queue by ``soft_bounce``."""
    DELIVERABLE = "deliverable"
    UNDELIVERABLE = "undeliverable"


class NotificationKind(StrEnum):
    """Why bounce(8) wrote to somebody."""

    FAILED = "non-delivery"
    DELAYED = "delay"
    SUCCESS = "delivery status"


@dataclass(frozen=True, slots=True)
class Received:
    """smtpd(8) or pickup(8) took a message in and gave it its queue id."""

    queue_id: str
    client: str
    """``mx.alpha.test[203.0.113.10]``; empty for pickup(8)."""
    sasl_username: str | None = None
    original_queue_id: str | None = None
    """Its id before ``postsuper -r`` requeued it."""
    sasl_method: str | None = None
    filtered_from: str | None = None
    """The id of the message that a content filter took and gave back as this one (``orig_queue_id=``)."""
    uid: int | None = None
    """Of the local user, where pickup(8) took it in."""


@dataclass(frozen=True, slots=True)
class Queued:
    """cleanup(8) saw the message's Message-ID."""

    queue_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """qmgr(8) took the message into the active queue; it says so again at every retry."""

    queue_id: str
    mail_from: str
    size: int
    nrcpt: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery agent tried to deliver to one recipient."""

    queue_id: str
    recipient: str
    orig_to: str | None
    relay: str
    """``mx.beta.test[203.0.113.20]:25``, ``local``, or ``none`` where no host was reached."""
    delay: float
    delays: tuple[float, ...]
    """Seconds before the queue manager, in it, in connecting and in transmitting."""
    dsn: str
    status: str
    """A `DeliveryStatus`, or what else stood there."""
    reply_text: str
    next_queue_id: str | None
    program: str
    """The delivery agent: smtp, lmtp, local, virtual, pipe, error, discard."""


@dataclass(frozen=True, slots=True)
class Removed:
    """The message left the queue."""

    queue_id: str
    by: str
    """qmgr when all was done; postsuper when an operator deleted it; cleanup when it was never complete."""


@dataclass(frozen=True, slots=True)
class Expired:
    """qmgr(8) gave up: the message was in the queue for too long, or an operator forced it."""

    queue_id: str
    mail_from: str
    forced: bool


@dataclass(frozen=True, slots=True)
class NonDelivery:
    """bounce(8) wrote a notification; not only of failure, as its kind says."""

    queue_id: str
    dsn_queue_id: str
    kind: NotificationKind
    to: str
    """``sender`` or ``postmaster``."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message, a recipient or a client was refused."""

    queue_id: str | None
    """None for ``NOQUEUE``: no recipient was accepted before."""
    stage: str
    """The command that was refused (``RCPT``, ``END-OF-MESSAGE``) or what cleanup(8) matched (``header``)."""
    client: str
    reply: SmtpReply
    mail_from: str | None
    rcpt_to: str | None
    by: str
    """The program that refused: smtpd, cleanup."""


@dataclass(frozen=True, slots=True)
class Held:
    """The message was put on hold, by a rule or by an operator."""

    queue_id: str | None
    reason: str
    mail_from: str | None = None
    rcpt_to: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """An operator let a message go on that was on hold."""

    queue_id: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """A rule made the message vanish, and its sender was told that it was accepted."""

    queue_id: str | None
    reason: str
    mail_from: str | None = None
    rcpt_to: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A client hung up on smtpd(8), or fell silent, in the middle of its session."""

    queue_id: str | None
    """Of the message that was not complete; None for ``NOQUEUE``."""
    client: str
    stage: str
    """The last command before: ``EHLO``, ``DATA``, ``CONNECT`` where it said nothing."""
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Pipelined:
    """A client did not wait for an answer that it had to wait for (RFC 2920; RFC 5321, section 3.1)."""

    queue_id: str | None
    """Mostly none: Postfix does not log it here. A line about the refusal may follow."""
    client: str
    stage: str
    """The command that was not answered yet: ``CONNECT`` where it spoke before the greeting."""
    said: str
    """What it said too early, with Postfix's escapes."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A client connected to smtpd(8)."""

    client: str
    queue_id: None = None


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A client's session with smtpd(8) ended."""

    client: str
    queue_id: None = None


@dataclass(frozen=True, slots=True)
class TlsEstablished:
    """A connection was encrypted (``smtp_tls_loglevel``, ``smtpd_tls_loglevel`` of 1 or more)."""

    peer: str
    """``mx.beta.test[203.0.113.20]:25`` of smtp(8), without the port of smtpd(8)."""
    trust: str
    """``Anonymous``, ``Untrusted``, ``Trusted`` or ``Verified``."""
    protocol: str
    """``TLSv1.3``"""
    cipher: str
    queue_id: None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A delivery agent could not connect to a host; what it then did its next `Delivery` tells."""

    relay: str
    """``mx.beta.test[203.0.113.20]:25``"""
    reason: str
    queue_id: None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a daemon says that is worth showing beside what it then does.

    A warning, or what one host answered before the next one was tried (``host … said: 450 …``).
    """

    queue_id: str | None
    text: str


Event: TypeAlias = (
    Received
    | Queued
    | Accepted
    | Delivery
    | Removed
    | Expired
    | NonDelivery
    | Rejected
    | Held
    | Released
    | Discarded
    | ConnectionLost
    | Pipelined
    | Connected
    | Disconnected
    | TlsEstablished
    | Unreachable
    | Remark
)

BESIDES: Final = (Connected, Disconnected, TlsEstablished, Unreachable, Remark)
"""What says nothing of a message's fate, and is worth showing beside it."""
