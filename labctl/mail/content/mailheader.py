"""A message's header as a mail reader shows it, whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import TYPE_CHECKING

from labctl.mail.content.message import normal_message_id

if TYPE_CHECKING:
    from email.message import Message


@dataclass(frozen=True, slots=True)
class MailHeader:
    """The fields that a list of messages shows (RFC 5322, section 3.6)."""

    message_id: str
    """Empty where the message has none."""
    from_: str
    """The author's bare address; what stands there instead, where it is none."""
    to: tuple[str, ...]
    subject: str
    """Decoded (RFC 2047); it may hold control characters, which are the display's business."""
    date: datetime | None
    """In UTC; None where the message has none that can be read."""
    is_dsn: bool
    """Whether it says it is a delivery status notification (RFC 3464)."""


def parse_header(content: bytes) -> MailHeader:
    """Read a header; nothing in it is an error."""
    # The old policy is the only one whose fields can be read without an exception whatever they hold.
    message = BytesHeaderParser(policy=compat32).parsebytes(content)
    authors = addresses(message, "From")
    return MailHeader(
        message_id=normal_message_id(" ".join(field_text(message, "Message-ID").split())),
        from_=authors[0] if authors else "",
        to=addresses(message, "To"),
        subject=field_text(message, "Subject"),
        date=date_of(field_text(message, "Date")),
        is_dsn=_is_dsn(message),
    )


def field_text(message: Message, name: str) -> str:
    """Return a field's value, unfolded and decoded; empty where there is none."""
    text = next(iter(_values(message, name)), "")
    try:
        return str(make_header(decode_header(text)))
    except (MessageError, LookupError, ValueError):  # a broken encoded word, or a charset that there is not
        return text


def addresses(message: Message, name: str) -> tuple[str, ...]:
    """Return the bare addresses of a field; its text as one where it holds none that can be read."""
    try:
        found = tuple(address for _, address in getaddresses(_values(message, name)) if address)
    except (IndexError, TypeError, ValueError, RecursionError):  # its own, met with comments without an end
        found = ()
    text = field_text(message, name).strip()
    return found or ((text,) if text else ())


def _values(message: Message, name: str) -> list[str]:
    """Return a field's values, unfolded; 8-bit bytes are read as UTF-8 (RFC 6532)."""
    found = (str(value) for field, value in message.raw_items() if field.casefold() == name.casefold())
    lines = (text.replace("\r", "").replace("\n", "") for text in found)
    return [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in lines]


def date_of(text: str) -> datetime | None:
    """Read a date-time of RFC 5322, section 3.3; without a zone it is taken for UTC."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _is_dsn(message: Message) -> bool:
    try:
        report = message.get_param("report-type")
        return (
            message.get_content_type() == "multipart/report"
            and isinstance(report, str)
            and report.strip().casefold() == "delivery-status"
        )
    except (ValueError, TypeError, LookupError):
        return False
