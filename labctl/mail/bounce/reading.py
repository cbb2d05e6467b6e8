"""Reading the reports of any mail system: by the standard where they keep to it, else by their habits."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.mail.bounce import fields, habit, wording
from labctl.mail.bounce.parts import Opened, opened
from labctl.mail.bounce.report import BounceReport, ReportKind
from labctl.mail.content import dsn
from labctl.mail.content.dsn import DsnAction, typed
from labctl.mail.content.message import normal_message_id

if TYPE_CHECKING:
    from labctl.mail.content.dsn import DsnRecipient

_REPORTS: Final = ("text/x-message-delivery-status", "text/x-message-global-delivery-status")
_DISPOSITIONS: Final = (
    "text/x-message-disposition-notification",
    "text/x-message-global-disposition-notification",
)
_FEEDBACK: Final = ("text/x-message-feedback-report",)
_ORIGINALS: Final = (
    "text/x-message-rfc822",
    "text/x-message-global",
    "text/rfc822-headers",
    "text/x-message-rfc822-headers",
    "text/x-message-global-headers",
)
_FOR_PEOPLE: Final = ("text/plain", "text/html")
_HEADER: Final = 1 << 16
_SEPARATOR: Final = re.compile(r"[\s,]+")


def read(content: bytes) -> BounceReport | None:
    """Read a message that a mail system wrote about another one.

    Args:
        content: The message. Whatever bytes it holds, nothing is raised.

    Returns:
        What it says; None where it is an ordinary message.
    """
    message = opened(content)
    if message is None:
        return None
    if (other := _other_kind(message)) is not None:
        return BounceReport(other)
    if (report := _structured(message, content) or _in_words(message)) is not None:
        return report
    kind = _automatic(message)
    return None if kind is None else BounceReport(kind, original_message_id=_answered(message))


def attached(content: bytes) -> tuple[bytes, ...]:
    """Return the messages that are attached to a message, as where somebody forwards a bounce."""
    message = opened(content)
    parts = () if message is None else message.of_type("text/x-message-rfc822", "text/x-message-global")
    return tuple(part.content for part in parts)


def _other_kind(message: Opened) -> ReportKind | None:
    """Tell reports that are none of deliveries by what they consist of (RFC 8098, RFC 5965)."""
    kind = str(message.header.get_param("report-type", "") or "").casefold() if _is_report(message) else ""
    if any(message.of_type(*_FEEDBACK)) or kind == "feedback-report":
        return ReportKind.FEEDBACK
    if any(message.of_type(*_DISPOSITIONS)) or kind == "disposition-notification":
        return ReportKind.DISPOSITION
    return None


def _structured(message: Opened, content: bytes) -> BounceReport | None:
    text = _text(message)
    named = wording.written_by(text, *_signs(message))
    well_formed = dsn.parse(content)
    if well_formed is not None and any(each.action for each in well_formed.recipients):
        return BounceReport(
            ReportKind.DELIVERY,
            named,
            reporting_mta=well_formed.reporting_mta,
            original_message_id=well_formed.original_message_id or _original_id(message, text),
            recipients=tuple(_with_words(fields.tidy(each), text) for each in well_formed.recipients),
        )
    # A gateway has changed the types: multipart/mixed, text/plain, an attachment of no known type.
    others = (each for each in message.parts if each.type not in _ORIGINALS)
    alike = (each for each in others if fields.looks_like_fields(each.content))
    part = next(message.of_type(*_REPORTS), None) or next(alike, None)
    groups = [] if part is None else fields.groups_in(part.content)
    recipients = fields.recipients(groups)
    told = next(filter(None, (typed(group, "X-Original-Message-ID") for group in groups)), None)
    if not recipients or not (part is None or part.type in _REPORTS or _is_from_system(message)):
        return None
    return BounceReport(
        ReportKind.DELIVERY,
        named,
        reporting_mta=fields.reporting_mta(groups),
        original_message_id=_original_id(message, text) or normal_message_id(told or "") or None,
        recipients=tuple(_with_words(each, text) for each in recipients),
    )


def _in_words(message: Opened) -> BounceReport | None:
    if not _is_from_system(message):
        return None
    text, subject = _text(message), message.field("Subject")
    failed = _SEPARATOR.split(message.field("X-Failed-Recipients"))
    told = wording.told(text, subject, [address for address in failed if "@" in address])
    if not told.action and not told.recipients and not _is_report(message):
        return None
    if not told.action and not _is_report(message) and not message.field("X-Failed-Recipients"):
        return None
    groups = fields.groups_in(next((each.content for each in message.of_type(*_REPORTS)), b""))
    return BounceReport(
        ReportKind.DELIVERY,
        wording.written_by(text, *_signs(message)),
        reporting_mta=fields.reporting_mta(groups) or told.reporting_mta,
        original_message_id=_original_id(message, text),
        recipients=told.recipients,
    )


def _with_words(recipient: DsnRecipient, text: str) -> DsnRecipient:
    """Complete a recipient whose fields lack the reply by what the words say of them."""
    if recipient.diagnostic_code or recipient.action not in (DsnAction.FAILED, DsnAction.DELAYED):
        return recipient
    told = wording.told(text, "", ()).recipients
    found = next((each for each in told if each.address == recipient.address), None)
    if found is None or not found.diagnostic_code:
        return recipient
    return replace(
        recipient,
        diagnostic_code=found.diagnostic_code,
        status=recipient.status or found.status,
        remote_mta=recipient.remote_mta or found.remote_mta,
    )


def _automatic(message: Opened) -> ReportKind | None:
    """Tell whether nobody wrote it (RFC 3834, section 5, and the fields in use before it)."""
    subject = message.field("Subject")
    automatic = message.field("Auto-Submitted").casefold().startswith("auto-") or any(
        message.field(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-From")
    )
    if habit.CHALLENGES.search(subject) is not None or message.field("X-Delivery-Agent").startswith("TMDA"):
        return ReportKind.CHALLENGE
    if automatic or habit.VACATIONS.match(subject) is not None:
        return ReportKind.AUTOMATIC_REPLY
    return None


def _is_report(message: Opened) -> bool:
    return message.header.get_content_type() == "multipart/report"


def _is_from_system(message: Opened) -> bool:
    """Whether a mail system wrote it, as far as one can tell."""
    kind = str(message.header.get_param("report-type", "") or "").casefold() if _is_report(message) else None
    if kind is not None and kind in ("", "delivery-status"):
        return True
    if message.field("X-Failed-Recipients"):
        return True
    subject = message.field("Subject")
    if habit.VACATIONS.match(subject) is not None:
        return False
    from_system = habit.SENDERS.search(message.field("From")) is not None
    nobody = message.field("Return-Path") == "<>"
    return from_system or (nobody and habit.SUBJECTS.match(subject) is not None)


def _text(message: Opened) -> str:
    """Return the part for people: the first in plain text, else in HTML."""
    for kind in _FOR_PEOPLE:
        if (part := next(message.of_type(kind), None)) is not None:
            return part.text
    return ""


def _signs(message: Opened) -> tuple[str, ...]:
    names = ("From", "Subject", "X-Mailer", "Message-ID", "Return-Path")
    return tuple(message.field(name) for name in names)


def _original_id(message: Opened, text: str) -> str | None:
    """Return the original's Message-ID: from the original, the text that quotes it, or the answer's field."""
    original = next(message.of_type(*_ORIGINALS), None)
    found = None
    if original is not None:
        header = original.text[:_HEADER].partition("\n\n")[0]
        found = wording.original_id(header.replace("\n ", " ").replace("\n\t", " "))
    if found is None:
        found = wording.told(text, "", ()).original_message_id
    return (normal_message_id(found) or None) if found else _answered(message)


def _answered(message: Opened) -> str | None:
    """Return what it answers: Exchange and Gmail name the original there."""
    match = re.search(r"<[^<>\s]{1,998}>", message.field("In-Reply-To"))
    return normal_message_id(match[0]) if match else None
