"""One line of one log, read as far as it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.mail.log.logevent import Event
    from labctl.mail.log.mailboxevent import MailboxEvent
    from labctl.mail.log.querylog import DnsAnswer

LogEvent: TypeAlias = "Event | MailboxEvent | DnsAnswer"
"""What Postfix, Dovecot or CoreDNS said happened."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log."""

    at: datetime
    """In UTC; that of the line before it, where the line itself has no time that can be read. Where no line
    of the log has one, it only keeps them in order (`labctl.mail.log.undated`)."""
    host: str
    """A lab's FQDN; of anyone's log what the line has, with the instance where one host runs several:
    ``mx/postfix-out``."""
    program: str
    """The daemon: ``smtp``, ``qmgr``, ``lmtp``, ``imap``; empty for CoreDNS."""
    pid: int
    """0 where the line has none."""
    queue_id: str | None
    text: str
    """The line as the daemon's log has it, without what an engine or a journal put around it."""
    event: LogEvent | None
    """None where the line says nothing that labctl reads."""
    source: str
    """The log's name: a file, or a lab's host."""
    offset: int
    """Where the line begins in it, in bytes."""

    def __str__(self) -> str:
        """Show it as evidence: when, which host, and its words."""
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03d} {self.host}: {self.text}"
