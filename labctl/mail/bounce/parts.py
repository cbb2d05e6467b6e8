"""Taking a message apart, however odd its MIME structure is."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING, Final

from labctl.mail.content.body import body, inner
from labctl.mail.content.mailheader import field_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 1 << 18
"""No report says anything of use behind so many characters."""
_LONGEST_FIELD: Final = 4000
_DEEPEST: Final = 20
# The email package parses messages inside a message at once and leaves their encoding alone: base64 and
# quoted-printable are forbidden there (RFC 2046, section 5.2.1), and met. As text they are decoded.
_INNER: Final = re.compile(
    rb"^(content-type[ \t]*+:[ \t]*+(?:\r?\n[ \t]++)?)message/(?=[a-z])", re.IGNORECASE | re.MULTILINE
)
_TAG: Final = re.compile(r"<[^<>]*+>")
_INVISIBLE: Final = re.compile(r"<(?:style|script|head)\b[^<>]*+>", re.IGNORECASE)
_BREAK: Final = re.compile(r"<(?:br|p|/p|div|/div|tr|/tr|li|h[1-6])\b[^<>]*+>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of a message: its type, and its content as text."""

    type: str
    """``message/rfc822`` is written ``text/x-message-rfc822`` here."""
    content: bytes
    charset: str

    @property
    def text(self) -> str:
        """The content, with line ends of one character; bytes that are no text are replaced."""
        content = self.content[:_LONGEST]
        try:
            text = content.decode(self.charset or "utf-8")
        except (LookupError, ValueError):  # a charset that there is not, or bytes that are none of its
            text = content.decode("utf-8" if _is_utf8(content) else "latin-1", "replace")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return _without_tags(text) if self.type == "text/html" else text


@dataclass(frozen=True, slots=True)
class Opened:
    """A message with its leaves."""

    header: Message
    parts: tuple[Part, ...]

    def field(self, name: str) -> str:
        """Return a field of the header as one line; empty where there is none."""
        bounded = Message()
        for field, value in self.header.raw_items():
            if field.casefold() == name.casefold():
                bounded[field] = str(value)[:_LONGEST_FIELD]
                break
        return " ".join(field_text(bounded, name).split())

    def of_type(self, *types: str) -> Iterator[Part]:
        """Yield the parts of some types."""
        return (part for part in self.parts if part.type in types)


def opened(content: bytes) -> Opened | None:
    """Take a message apart; None where it is nested too deep to be one that anybody wrote."""
    try:
        message = BytesParser(policy=compat32).parsebytes(_INNER.sub(rb"\1text/x-message-", content))
        return Opened(message, tuple(_leaves(message, 0)))
    except RecursionError:
        return None


def _leaves(message: Message, depth: int) -> Iterator[Part]:
    if message.is_multipart():
        if depth < _DEEPEST:
            for part in inner(message):
                yield from _leaves(part, depth + 1)
        return
    yield Part(message.get_content_type(), body(message), _charset(message))


def _charset(message: Message) -> str:
    try:
        return str(message.get_content_charset() or "")
    except (LookupError, ValueError, TypeError):
        return ""


def _is_utf8(content: bytes) -> bool:
    try:
        content[:-4].decode("utf-8")  # what was cut may end in the middle of a character
    except UnicodeError:
        return False
    return True


def _without_tags(text: str) -> str:
    """Return what a reader of HTML sees, roughly."""
    pieces = _INVISIBLE.split(text)
    # What follows <style> up to its end is not seen.
    seen = [pieces[0], *(piece.partition("</")[2].partition(">")[2] for piece in pieces[1:])]
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", "".join(seen))))
