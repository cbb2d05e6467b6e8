"""What a message turns out to be that a mail system wrote about another one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.mail.content.dsn import DsnRecipient


class ReportKind(StrEnum):
    """Which sort of automatic message it is."""

    DELIVERY = "delivery"
    """What became of a message on its way: a bounce, a warning, a confirmation (RFC 3464, or before it)."""
    DISPOSITION = "disposition"
    """What a reader, or a rule of theirs, did with a message (RFC 8098)."""
    FEEDBACK = "feedback"
    """A recipient's complaint about spam (RFC 5965)."""
    AUTOMATIC_REPLY = "automatic-reply"
    """An answer without a person: a vacation notice (RFC 3834)."""
    CHALLENGE = "challenge"
    """A demand to prove that the sender is a person."""


@dataclass(frozen=True, slots=True)
class BounceReport:
    """What such a message says; what it does not say is None or empty, never guessed."""

    kind: ReportKind
    written_by: str | None = None
    """The software whose habit the form is: ``qmail``, ``Exim``."""
    reporting_mta: str | None = None
    original_message_id: str | None = None
    recipients: tuple[DsnRecipient, ...] = ()
