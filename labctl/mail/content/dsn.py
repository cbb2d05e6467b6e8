"""Delivery status notifications (RFC 3464; RFC 6533 for internationalized addresses)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from labctl.contract.value import MessageId
from labctl.mail.content.body import body, inner
from labctl.mail.content.mailheader import date_of, field_text
from labctl.mail.content.message import normal_message_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_REPORTS: Final = ("message/delivery-status", "message/global-delivery-status")
_ORIGINALS: Final = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_BLANK_LINES: Final = re.compile(rb"(?:\r?\n){2,}")


class DsnAction(StrEnum):
    """What the reporting MTA did (RFC 3464, section 2.3.3), and Postfix's own for an address probe."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    DELIVERABLE = "deliverable"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class DsnRecipient:
    """What a notification says of one recipient (RFC 3464, section 2.3)."""

    address: str
    """The Final-Recipient, without its type."""
    original: str | None
    """The Original-Recipient, without its type."""
    action: str
    """A `DsnAction` (failed, delayed, delivered, relayed, expanded), or what else stood there."""
    status: str
    """Its enhanced status code (RFC 3463); empty where the report does not tell."""
    remote_mta: str | None
    diagnostic_code: str | None
    """With its type, which tells who speaks: ``smtp; …`` the next host, ``X-Postfix; …`` the host itself."""
    will_retry_until: datetime | None
    last_attempt: datetime | None


@dataclass(frozen=True, slots=True)
class Dsn:
    """A delivery status notification."""

    reporting_mta: str | None
    original_message_id: MessageId | None
    original_envelope_id: str | None
    arrival_date: datetime | None
    recipients: tuple[DsnRecipient, ...]


def parse(content: bytes | Message) -> Dsn | None:
    """Read a message; None where it is no delivery status notification."""
    # As for headers, the old policy: it reads whatever there is.
    message = content if isinstance(content, Message) else BytesParser(policy=compat32).parsebytes(content)
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        return None
    parts = inner(message)
    report = next((part for part in parts if part.get_content_type() in _REPORTS), None)
    if report is None:
        return None
    groups = list(field_groups(report))
    about = groups[0] if groups and "Final-Recipient" not in groups[0] else Message()
    return Dsn(
        reporting_mta=typed(about, "Reporting-MTA"),
        original_message_id=_original_message_id(parts),
        original_envelope_id=field_text(about, "Original-Envelope-Id").strip() or None,
        arrival_date=date_of(field_text(about, "Arrival-Date")),
        recipients=tuple(recipient_in(group) for group in groups if "Final-Recipient" in group),
    )


def field_groups(report: Message) -> Iterator[Message]:
    """Part a report into its groups of fields: one for the message, then one for each recipient.

    The email package does this for ``message/delivery-status`` alone; of the other type it takes what follows
    the first group for a body.
    """
    for group in inner(report) if report.is_multipart() else [report]:
        if group is not report:
            yield group
        if not group.is_multipart():
            blocks = (_header(block.lstrip(b"\r\n")) for block in _BLANK_LINES.split(body(group)))
            yield from (each for each in blocks if each.keys())


def recipient_in(group: Message) -> DsnRecipient:
    """Read what a group of fields says of its recipient."""
    return DsnRecipient(
        address=typed(group, "Final-Recipient") or "",
        original=typed(group, "Original-Recipient"),
        action=field_text(group, "Action").strip().casefold(),
        status=field_text(group, "Status").strip(),
        remote_mta=typed(group, "Remote-MTA"),
        diagnostic_code=" ".join(field_text(group, "Diagnostic-Code").split()) or None,
        will_retry_until=date_of(field_text(group, "Will-Retry-Until")),
        last_attempt=date_of(field_text(group, "Last-Attempt-Date")),
    )


def typed(group: Message, name: str) -> str | None:
    """Return the value of a field that is written ``type; value``."""
    text = field_text(group, name)
    _, semicolon, value = text.partition(";")
    return (value if semicolon else text).strip() or None


def _header(content: bytes) -> Message:
    return BytesParser(policy=compat32).parsebytes(content, headersonly=True)


def _original_message_id(parts: list[Message]) -> str | None:
    for part in parts:
        if part.get_content_type() in _ORIGINALS:
            parsed = inner(part)  # what is not pure text, the email package has parsed already
            original = parsed[0] if parsed else _header(body(part))
            text = " ".join(field_text(original, "Message-ID").split())
            return normal_message_id(text) or None
    return None
