"""A mail as it is found in a mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

    from labctl.mail.mailbox import MailboxMessage


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it lies in a mailbox."""

    listed: MailboxMessage
    content: bytes

    @property
    def uid(self) -> int:
        """IMAP's UID, or POP3's number in its session."""
        return self.listed.uid

    @property
    def message_id(self) -> str:
        """Its Message-ID, in angle brackets."""
        return self.listed.message_id

    @property
    def subject(self) -> str:
        """Its subject."""
        return self.listed.subject

    @property
    def flags(self) -> tuple[str, ...]:
        """IMAP's flags when it was listed."""
        return self.listed.flags

    def headers(self, name: str) -> list[str]:
        """Return a header field's values, unfolded, topmost first (RFC 5322, section 2.2)."""
        return [" ".join(str(value).split()) for value in self._parsed().get_all(name, [])]

    def header(self, name: str) -> str:
        """Return a header field's first value; empty where there is none."""
        return next(iter(self.headers(name)), "")

    @property
    def text(self) -> str:
        """Its first part that is text."""
        for part in self._parsed().walk():
            if part.get_content_maintype() == "text":
                payload = part.get_payload(decode=True)
                return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
        return ""

    def _parsed(self) -> Message:
        return BytesParser(policy=compat32).parsebytes(self.content)
