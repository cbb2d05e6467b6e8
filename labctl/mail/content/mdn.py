"""Message disposition notifications (RFC 8098): what a recipient, or Sieve for them, did with a message."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Final

from labctl.mail.content.body import inner
from labctl.mail.content.dsn import field_groups, typed
from labctl.mail.content.mailheader import field_text
from labctl.mail.content.message import normal_message_id

_REPORTS: Final = ("message/disposition-notification", "message/global-disposition-notification")
_DISPOSITION: Final = re.compile(r"[^/;]*/[^;]*;([^/]*)(?:/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mdn:
    """A message disposition notification."""

    final_recipient: str
    """Without its type."""
    original_message_id: str | None
    disposition: str
    """What became of the message: ``displayed``, ``deleted`` (Sieve's ``reject``), ``dispatched``."""


def parse(content: bytes | Message) -> Mdn | None:
    """Read a message; None where it is no message disposition notification."""
    message = content if isinstance(content, Message) else BytesParser(policy=compat32).parsebytes(content)
    if message.get_content_type() != "multipart/report" or not message.is_multipart():
        return None
    report = next((part for part in inner(message) if part.get_content_type() in _REPORTS), None)
    if report is None:
        return None
    group = next(field_groups(report), Message())
    match = _DISPOSITION.fullmatch(field_text(group, "Disposition"))
    original = " ".join(field_text(group, "Original-Message-ID").split())
    return Mdn(
        final_recipient=typed(group, "Final-Recipient") or "",
        original_message_id=normal_message_id(original) or None,
        disposition=match[1].strip().casefold() if match else "",
    )
