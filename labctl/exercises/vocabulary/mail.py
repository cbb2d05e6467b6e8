"""A mail as it is found in a mailbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING, Final

from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from email.message import Message

    from labctl.exercises.result.narration import Narrator
    from labctl.mail.client.mailbox import MailboxMessage

_BY: Final = re.compile(r"(?:^|\s)by\s+(\S+)")
"""In a Received field: the server that wrote it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it lies in a mailbox."""

    listed: MailboxMessage
    content: bytes
    narrator: Narrator

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
        """Return a header field's values, unfolded, topmost first (RFC 5322, section 2.2), in UTF-8 too."""
        fields = (value for key, value in self._parsed().raw_items() if key.casefold() == name.casefold())
        texts = (value.encode("ascii", "surrogateescape").decode("utf-8", "replace") for value in fields)
        return [" ".join(text.split()) for text in texts]

    def header(self, name: str) -> str:
        """Return a header field's first value; empty where there is none."""
        return next(iter(self.headers(name)), "")

    def must_have(self, name: str, *texts: str) -> None:
        """Check that the header has a field of that name which contains all these texts.

        Raises:
            ExpectationFailed: It has none.
        """
        wish = f"a field {name} with {' and '.join(f'“{each}”' for each in texts)}"
        with self.narrator.step(f"“{self.subject}” has {wish}") as evidence:
            there = self.headers(name)
            evidence.extend(f"{name}: {value}" for value in there)
            if not any(all(text in value for text in texts) for value in there):
                raise ExpectationFailed(wish, f"{len(there)} fields {name}, none of them so", (*evidence,))

    def must_have_come_by(self, *hosts: str) -> None:
        """Check by its Received fields which servers it passed, from the first to the last (RFC 5321, 4.4).

        Args:
            hosts: Their names, all of them.

        Raises:
            ExpectationFailed: It came another way.
        """
        with self.narrator.step(f"“{self.subject}” came by {', '.join(hosts)}") as evidence:
            stamps = self.headers("Received")[::-1]  # the last server's is on top
            evidence.extend(f"Received: {each}" for each in stamps)
            passed = [match[1] if (match := _BY.search(each)) else "?" for each in stamps]
            if passed != list(hosts):
                raise ExpectationFailed(f"by {', '.join(hosts)}", f"by {', '.join(passed)}", (*evidence,))

    def must_contain(self, text: str) -> None:
        """Check that its text contains another.

        Raises:
            ExpectationFailed: It does not.
        """
        with self.narrator.step(f"The text of “{self.subject}” contains “{text}”") as evidence:
            evidence.extend(self.text.splitlines())
            if text not in self.text:
                raise ExpectationFailed(f"a text with “{text}”", "another text", (*evidence,))

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
