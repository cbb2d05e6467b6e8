"""What Dovecot's log lines say happened: one frozen value per kind of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Saved:
    """LMTP or the LDA saved a message; also where a Sieve script filed it elsewhere."""

    user: str
    message_id: str
    """As logged; empty where the message has none."""
    mailbox: str
    session: str | None
    """Dovecot's session, which an LMTP reply repeats before ``Saved``."""


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """LMTP or the LDA could not save a message."""

    user: str
    message_id: str
    mailbox: str
    reason: str
    session: str | None


@dataclass(frozen=True, slots=True)
class SieveActed:
    """A Sieve script did something else with a message than file it: forward, reject, discard, answer."""

    user: str
    message_id: str
    action: str
    """``forwarded``, ``discarded``, ``rejected``, ``vacation``, or the log's own words."""
    text: str
    session: str | None


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A reader was let in."""

    user: str
    protocol: str
    """``imap`` or ``pop3``."""
    client: str
    """The address it called from."""
    session: str | None
    tls: bool


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """A reader's session ended."""

    user: str
    protocol: str
    reason: str
    session: str | None
    counters: Mapping[str, int]
    """As logged: ``hdr_count``, ``body_count``, ``expunged`` of IMAP; ``retr``, ``del``, ``top`` (numbers of
    messages) of POP3."""


@dataclass(frozen=True, slots=True)
class MailboxChanged:
    """A reader changed a message (Dovecot's mail_log plugin)."""

    user: str
    protocol: str
    action: str
    """``flag_change``, ``copy``, ``expunge``, ``delete``, ``undelete``, ``save``."""
    mailbox: str
    uid: int | None
    message_id: str
    flags: tuple[str, ...]
    destination: str | None
    """Where a copy lies."""
    session: str | None


MailboxEvent: TypeAlias = Saved | SaveFailed | SieveActed | LoggedIn | LoggedOut | MailboxChanged
