"""What to look for in a log's bytes, where what is meant may be written in several ways."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Likely: TypeAlias = Callable[[bytes, int], bool]
"""Whether a line is worth reading, by itself and where in it the bytes are."""

_UNSURE: Final = re.compile(rb'[^ -~]|[?<>&"\\]')
"""What logs show otherwise than it is: Postfix's ``?`` for what is not printable, and JSON's escapes."""
_NAMED: Final = re.compile(rb"id(?:=|: ?)(?:<|\\u003c)?\Z", re.IGNORECASE)
"""What stands before a Message-ID: ``message-id=<``, ``msgid=<``, ``Message-ID: <``."""
_BRACKET: Final = (b"<", b"\\u003c")
_SHORT: Final = 8


def of_message_id(message_id: str) -> tuple[tuple[bytes, ...], Likely]:
    """Return bytes of which each line with a Message-ID has one, and whether a line is worth reading.

    Args:
        message_id: With its brackets.
    """
    bare = _UNSURE.sub(b"\0", message_id[1:-1].encode())
    piece = max(bare.split(b"\0"), key=len)
    start = bare.index(piece)
    if len(piece) >= _SHORT:
        return (
            piece,
        ), lambda line, where: start > 0 or _NAMED.search(line[:where], max(where - 16, 0)) is not None
    if start == 0 and piece:  # a word that may stand anywhere: what comes before it is rarer
        return tuple(before + piece for before in (b"id=<", b"id=\\u003c", b"id=")), lambda _, __: True
    return (b"id=",), lambda line, _: piece in line


def of_address(address: str) -> tuple[bytes, Likely]:
    """Return the bytes of a line with an address in angle brackets, and whether it is in them."""
    return address.encode(), lambda line, where: line.endswith(_BRACKET, 0, where)


def of_user(user: str) -> tuple[bytes, Likely]:
    """Return the bytes of Dovecot's lines about a user's sessions, and whether a line may be one of them."""

    def likely(line: bytes, where: int) -> bool:
        return line.endswith((b"imap(", b"pop3(", b"user=<", b"user=\\u003c"), 0, where)

    return user.encode(), likely
