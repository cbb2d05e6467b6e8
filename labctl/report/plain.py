"""Making text harmless that a message, a log or a student may have written."""

from __future__ import annotations

import re
from typing import Final

_HARMFUL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, also the one that commands a terminal
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # what hides text or turns its direction
    "\ud800-\udfff]"  # bytes that were no text
)


def harmless(text: str) -> str:
    """Return text with every character escaped that a terminal would obey; tabs and line ends stay."""
    return _HARMFUL.sub(_escaped, text)


def one_line(text: str, limit: int = 200) -> str:
    """Return text as one harmless line of at most `limit` characters."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  # a byte that Python kept as half of a surrogate pair
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004  # what fits in a byte
