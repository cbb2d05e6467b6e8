"""Text of unknown length in the room that there is."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from labctl.report.layout.plain import one_line

_WORD: Final = re.compile(r"[^ ]*+ ?")
_PART: Final = re.compile(r"[^.@/:_-]*+[.@/:_-]?")
"""A part of a long word, and the character behind which a line may end."""


def brief(text: str, limit: int = 200) -> str:
    """Return text as one harmless line of at most `limit` characters, however long it is."""
    line = one_line(text[: 2 * limit], limit)
    return f"{line[: limit - 1]}…" if len(text) > 2 * limit and not line.endswith("…") else line


def wrapped(text: str, width: int, rows: int | None = None) -> list[str]:
    """Break one line of text into lines of at most `width` columns of a terminal.

    Args:
        text: It may hold long names, which break behind their dots and at signs.
        width: At least 2.
        rows: At most so many lines; what does not fit is cut, which an ellipsis tells. None for all.
    """
    lines = [""]
    for piece in _pieces(text, width):
        if columns(lines[-1]) + columns(piece.rstrip(" ")) > width:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip(" ")
    lines = [line.rstrip(" ") for line in lines]
    if rows is not None and len(lines) > rows:
        lines = lines[:rows]
        lines[-1] = f"{cut(lines[-1], width - 1)}…"
    return lines


def cut(text: str, width: int) -> str:
    """Return as much of a text's beginning as fits into so many columns."""
    while columns(text) > width:
        text = text[: min(len(text) - 1, width)]
    return text


def padded(text: str, width: int) -> str:
    """Return a text with blanks behind it, or cut."""
    text = text if columns(text) <= width else f"{cut(text, width - 1)}…"
    return text + " " * (width - columns(text))


def columns(text: str) -> int:
    """Count the columns that a terminal gives to a text (UAX 11): a wide character takes two."""
    if text.isascii() or text.replace("…", "").isascii():  # almost everything, if need be cut
        return len(text)
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) != 0 for each in text)


def _pieces(text: str, width: int) -> list[str]:
    """Part a text at its blanks, a word that is too long for a line behind its dots, else anywhere."""
    found: list[str] = []
    for word in (match[0] for match in _WORD.finditer(text) if match[0]):
        if columns(word.rstrip(" ")) <= width:
            found.append(word)
            continue
        for part in (match[0] for match in _PART.finditer(word) if match[0]):
            rest = part
            while columns(rest.rstrip(" ")) > width:
                head = cut(rest, width) or rest[:1]
                found.append(head)
                rest = rest[len(head) :]
            found.append(rest)
    return [each for each in found if each]
