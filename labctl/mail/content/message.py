"""Messages (RFC 5322): writing one, and making a user's own file ready to be sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")  # RFC 5322, section 3.6.8, and the obsolete space
_UNPRINTABLE: Final = re.compile(r"(?:[^ -~]|\?)+")
_MSG_ID: Final = re.compile(r"<([^<>\s]+)>")


def compose_message(mail_from: str, rcpt_tos: Sequence[str], *, subject: str, body: str) -> tuple[str, bytes]:
    """Write a message with the headers a mail reader would give it.

    Args:
        mail_from: The author.
        rcpt_tos: The recipients.
        subject: One line.
        body: The text.

    Returns:
        Its Message-ID in angle brackets, and its content with CRLF line ends.

    Raises:
        UsageError: The subject has more than one line, or an address can't stand in a header.
    """
    from email import policy  # noqa: PLC0415  # email costs 15 ms, and this module is imported for less
    from email.message import EmailMessage  # noqa: PLC0415
    from email.utils import format_datetime, localtime  # noqa: PLC0415

    message_id = new_message_id(mail_from.rpartition("@")[2])
    message = EmailMessage(policy=policy.SMTP)
    try:
        message["From"] = mail_from
        message["To"] = ", ".join(rcpt_tos)
        message["Subject"] = _text(subject)
        message["Date"] = format_datetime(localtime())
        message.set_content(_text(body))
        content = bytes(message)
    except ValueError as error:
        raise UsageError(
            f"no message can be written with the subject {subject!r} from {mail_from!r}: {error}",
            hint="give a subject of one line and plain addresses",
        ) from error
    # Written by hand: the email package folds a long identifier, and RFC 5322 lets nothing stand inside it.
    return message_id, b"Message-ID: " + message_id.encode("ascii") + b"\r\n" + content


def new_message_id(domain: str) -> str:
    """Return a Message-ID never seen before, under a domain."""
    from email.utils import make_msgid  # noqa: PLC0415  # as above

    safe = re.sub(r"[^A-Za-z0-9.-]", "", domain) or "localhost"
    return make_msgid(domain=safe)


def prepared(content: bytes, *, domain: str = "localhost") -> tuple[str, bytes]:
    """Make a message file ready to be submitted, changing as little as can be.

    Line ends become CRLF (RFC 5321, section 2.3.8); a Message-ID and a Date are put on top where they are
    missing. Every other byte stays, NUL and 8-bit ones too: what a server makes of them is worth seeing.

    Args:
        content: The file's bytes.
        domain: Under which a new Message-ID is made.

    Returns:
        The Message-ID as Postfix will log it, and the content.
    """
    content = _LINE_END.sub(b"\r\n", content)
    fields, length = _header_fields(content)
    own = fields.get(b"message-id", b"").decode("ascii", "replace")
    message_id = normal_message_id(" ".join(own.split()))
    added = b""
    if not message_id:
        message_id = new_message_id(domain)
        added += b"Message-ID: " + message_id.encode("ascii") + b"\r\n"
    if b"date" not in fields:
        from email.utils import format_datetime, localtime  # noqa: PLC0415  # as above

        added += b"Date: " + format_datetime(localtime()).encode("ascii") + b"\r\n"
    if added and length == 0 and not content.startswith(b"\r\n"):
        added += b"\r\n"  # the file has no header at all: its first line is the body's
    return message_id, added + content


def normal_message_id(text: str) -> str:
    """Return a Message-ID in the form to compare: with its brackets, without comments and white space.

    A value that has no brackets gets them, so that both spellings name the same message; characters that no
    log shows as they are become question marks, as in Postfix's log.
    """
    match = _MSG_ID.search(text)
    bare = match[1] if match else text.replace("<", "").replace(">", "").strip()
    return f"<{_UNPRINTABLE.sub('?', bare)}>" if bare else ""


def _header_fields(content: bytes) -> tuple[dict[bytes, bytes], int]:
    """Return the header's fields, the first of each name, and the length of the header in bytes."""
    fields: dict[bytes, bytes] = {}
    name: bytes | None = None
    first = False
    position = 0
    while position < len(content):
        end = content.find(b"\r\n", position)
        end = len(content) if end < 0 else end
        line = content[position:end]
        if line[:1] in (b" ", b"\t") and name is not None:
            if first:
                fields[name] += line
        elif (match := _FIELD.match(line)) is not None:
            name = match[1].lower()
            if first := name not in fields:
                fields[name] = line[match.end() :]
        else:
            break
        position = end + 2
    return fields, min(position, len(content))


def _text(text: str) -> str:
    """Replace what UTF-8 can't hold: the lone surrogates that stand for odd bytes of a command line."""
    return text.encode("utf-8", "replace").decode("utf-8")
