"""What mailboxes have in common, whether IMAP or POP3 reads them: their messages and their failures."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from labctl.contract.value import Count, MaybeMessageId, Ordinal, When, Word, values
from labctl.errors import ServiceCommandFailed
from labctl.mail.client.failure import seen_in
from labctl.mail.content import dsn
from labctl.mail.content.mailheader import MailHeader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


DONE_WITHIN: Final = 60.0
"""Seconds for all that a server says to what is done at once, such as the listing of a folder."""

UNREADABLE: Final = (AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What the libraries raise, unintended, at answers that no server gives, such as a literal of 100 GB."""


@dataclass(frozen=True, slots=True)
class MailboxMessage:
    """A message as a mail reader lists it."""

    WHEN: ClassVar = When("is_dsn", value=False, then={"dsn": None})

    uid: Ordinal
    """IMAP's UID; for POP3 the number in this session."""
    message_id: MaybeMessageId
    """Empty where the message has none."""
    from_: str
    to: tuple[str, ...]
    subject: str
    date: datetime | None
    flags: tuple[Word, ...]
    """IMAP's flags; POP3 has none."""
    size: Count
    is_dsn: bool
    dsn: dsn.Dsn | None
    uidl: Word | None = None
    """POP3's own lasting identifier (RFC 1939, section 7)."""


def message_of(
    uid: int,
    header: MailHeader,
    *,
    size: int,
    flags: tuple[str, ...] = (),
    content: bytes | None,
    uidl: str | None = None,
) -> MailboxMessage:
    """Join what a server said of a message with what stands in it.

    Args:
        uid: Its UID or number.
        header: Its header.
        size: Its size in bytes.
        flags: Its flags.
        content: The whole of it, where it may be a delivery status notification.
        uidl: Its identifier in POP3.
    """
    report = dsn.parse(content) if content is not None else None
    told = values(MailHeader, header) | {"is_dsn": report is not None}
    return MailboxMessage(uid, flags=flags, size=size, dsn=report, uidl=uidl, **told)


@contextmanager
def translated(where: str, library: type[Exception], timeout: float | None = None) -> Iterator[None]:
    """Turn a library's exceptions and those of its socket into labctl's."""
    try:
        yield
    except library as error:
        raise failed(where, said_in(error) or "the connection was lost") from error
    except OSError as error:
        seen = seen_in(error, timeout, awaited="answer")
        if not isinstance(error, (TimeoutError, ConnectionError)):
            seen = f"the connection failed ({seen})"
        raise failed(where, seen) from error
    except UNREADABLE as error:
        raise failed(where, f"an answer that can't be read ({type(error).__name__})") from error


def said_in(error: Exception) -> str:
    """Return the server's words; imaplib wraps them in bytes, in the text of bytes, or in a list of bytes."""
    text = error.args[0] if error.args else ""
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    return str(text).removeprefix("b'").removesuffix("'")


def failed(where: str, seen: str) -> ServiceCommandFailed:
    """Return the error to raise about a mailbox."""
    return ServiceCommandFailed(
        f"the mailbox {where} can't be read: {seen}",
        hint="labctl status",
        detail={"mailbox": where, "seen": seen},
    )


def refused(where: str, said: str) -> ServiceCommandFailed:
    """Return the error to raise about a user whom the server does not let in."""
    return failed(where, f"the server refused the user name or password: {said}")
