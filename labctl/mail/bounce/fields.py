"""Reading the fields that reports have for machines (RFC 3464), and what stands in their place."""

from __future__ import annotations

import re
from dataclasses import replace
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING, Final

from labctl.mail.content.dsn import DsnAction, recipient_in, typed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

    from labctl.mail.content.dsn import DsnRecipient

_BLANK_LINES: Final = re.compile(rb"\r?\n(?>(?:[ \t]*+\r?\n)+)")
_STATUS: Final = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![\w.])")
_WORD: Final = re.compile(r"[A-Za-z]+")
_ESCAPED: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533, section 3: utf-8-addr-xtext
_NAMES: Final = ("Final-Recipient", "Original-Recipient", "X-Actual-Recipient")
_LONGEST: Final = 1 << 20
_LAST: Final = 0x10FFFF
_LOOKS_SO: Final = re.compile(
    rb"^(?:final-recipient|original-recipient|reporting-mta)[ \t]*+:", re.IGNORECASE | re.MULTILINE
)
_TELLS: Final = re.compile(rb"^(?:action|status)[ \t]*+:", re.IGNORECASE | re.MULTILINE)


def looks_like_fields(content: bytes) -> bool:
    """Whether a text holds a report's fields, as where a gateway has relabelled the part as text/plain."""
    return _LOOKS_SO.search(content) is not None and _TELLS.search(content) is not None


def groups_in(content: bytes) -> list[Message]:
    """Part fields into groups: one about the message, then one about each recipient."""
    groups: list[Message] = []
    for block in _BLANK_LINES.split(content[:_LONGEST]):
        group = BytesParser(policy=compat32).parsebytes(block.lstrip(b"\r\n"), headersonly=True)
        # A blank line too many tears a recipient's fields apart: those without an address belong to it.
        torn = groups and _names_recipient(groups[-1]) and "Action" not in groups[-1]
        if torn and "Action" in group and not _names_recipient(group):
            for name, value in group.raw_items():
                groups[-1][name] = value
        elif group.keys():
            groups.append(group)
    return groups


def reporting_mta(groups: Iterable[Message]) -> str | None:
    """Return who reports."""
    return next(filter(None, (typed(group, "Reporting-MTA") for group in groups)), None)


def recipients(groups: Iterable[Message]) -> tuple[DsnRecipient, ...]:
    """Return what the groups say of recipients."""
    found = (
        replace(recipient_in(group), address=next(filter(None, (typed(group, name) for name in _NAMES)), ""))
        for group in groups
        if _names_recipient(group)
    )
    return tuple(map(tidy, found))


def tidy(recipient: DsnRecipient) -> DsnRecipient:
    """Make of a recipient's fields what they should have been, without guessing.

    A status without comment; the diagnostic code's where there is none; ``failed`` where no action stands
    beside a status of class 5, which says so (RFC 3463, section 2). A class 4 alone does not tell.
    """
    word = _WORD.match(recipient.action.strip())
    action = word[0].casefold() if word else ""
    status = status_in(recipient.status) or status_in(recipient.diagnostic_code or "")
    if not action and status.startswith("5"):
        action = DsnAction.FAILED
    return replace(
        recipient,
        address=_bare(recipient.address) or _bare(recipient.original or ""),
        original=_bare(recipient.original) if recipient.original else None,
        action=action,
        status=status,
        # Gmail and Courier put the address behind the name, in brackets of some kind.
        remote_mta=(recipient.remote_mta or "").partition(" ")[0].rstrip(".") or None,
    )


def status_in(text: str) -> str:
    """Return the first enhanced status code of a text; empty where there is none."""
    match = _STATUS.search(text)
    return match[1] if match else ""


def _names_recipient(group: Message) -> bool:
    return any(name in group for name in _NAMES)


def _bare(address: str) -> str:
    address = address.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1].strip()
    return _ESCAPED.sub(_character, address)


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code <= _LAST else match[0]
