"""What a message or a part of one holds, whatever its fields say of it.

Asked for a part's text, the email package decodes it by a charset of which it believes any name, and raises
what the codec does; so it is asked for parts and bytes only.
"""

from __future__ import annotations

from email.message import Message


def inner(message: Message) -> list[Message]:
    """Return the parts of a multipart message, or the one inside a message part; none of anything else."""
    payload = message.get_payload() if message.is_multipart() else []
    return [part for part in payload if isinstance(part, Message)]


def body(part: Message) -> bytes:
    """Return a leaf's content, decoded; as it came where that is not in the encoding that it claims."""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
