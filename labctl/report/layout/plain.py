"""Making text harmless that a message, a log or a student may have written."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_HARMFUL: Final = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, also the one that commands a terminal
    "\u2028\u2029"  # what ends a line without being seen
    # Unicode's category Cf: what hides text, joins it or turns its direction
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f"
    "\ud800-\udfff]"  # bytes that were no text
)


LONGEST: Final = 1000
"""Characters of what is not cut to fit somewhere: an address has some 320 at most, a reason may be longer."""


def harmless(text: str) -> str:
    """Return text with every character escaped that a terminal would obey; tabs and line ends stay."""
    # Almost everything, and told far sooner: of what is harmful nothing is printable.
    if text.isprintable() or text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _harmful().sub(_escaped, text)


@cache
def _harmful() -> re.Pattern[str]:
    """Return the pattern, which takes longer to compile than all other imports of a text's writer."""
    return re.compile(_HARMFUL)


def one_line(text: str, limit: int = 200) -> str:
    """Return text as one harmless line of at most `limit` characters."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  # a byte that Python kept as half of a surrogate pair
        code -= 0xDC00
    if code < 0x100:  # noqa: PLR2004  # what fits in a byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  # what fits in two
