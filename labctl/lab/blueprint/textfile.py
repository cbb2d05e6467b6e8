"""Text files of a lab: read to a bound, and wrong with the line."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from labctl import byteordermark, plainfile
from labctl.errors import InvalidLabFile
from labctl.lab.blueprint import boundedtoml

if TYPE_CHECKING:
    from pathlib import Path


def text_of(path: Path, *, hint: str, mark: bool = False) -> str:
    """Read a file of UTF-8 text.

    Args:
        path: The file.
        hint: What to do where it can't be read.
        mark: Whether a byte order mark may begin it; it is left out.

    Raises:
        InvalidLabFile: It can't be read, or has bytes that are no UTF-8: then with the line of the first.
    """
    try:
        content = plainfile.content(path, plainfile.LARGEST_TEXT)
        if mark:
            content = byteordermark.without(content)
        elif (fault := byteordermark.fault_of(content)) is not None:
            raise InvalidLabFile(fault, path=path, line=1, hint=f"edit {path}")
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        message = f"is no UTF-8: it has the byte 0x{content[exc.start]:02x}"
        raise InvalidLabFile(message, path=path, line=line, hint=hint) from exc
    except OSError as exc:
        raise InvalidLabFile(f"can't be read: {exc.strerror}", path=path, line=None, hint=hint) from exc


def table_of(text: str, path: Path) -> dict[str, Any]:
    """Read TOML; `path` is the file that has it.

    Raises:
        InvalidLabFile: It is none: with the line, where one can be named.
    """
    try:
        return boundedtoml.parse(text.encode())
    except boundedtoml.NoToml as exc:
        raise InvalidLabFile(f"is no TOML: {exc}", path=path, line=exc.line, hint="https://toml.io") from exc


def line_of(text: str, *words: str) -> int | None:
    """Return the line of TOML that sets a word or is its table's head, else the first that has it.

    Args:
        text: The file.
        words: The word; further ones where it is not there as it is, as one that is written with escapes.
    """
    lines = list(enumerate(text.split("\n"), start=1))
    for word in words:
        sets = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(word)}[\"']?\s*[]=.]")
        setting = (n for n, line in lines if sets.match(line))
        having = (n for n, line in lines if word in line)
        if (found := next(setting, None) or next(having, None)) is not None:
            return found
    return None


def wrong_at(path: Path, message: str, *words: str) -> InvalidLabFile:
    """Return the error about a file that was read before, with the line as `line_of` finds it."""
    hint = f"edit {path}"
    with suppress(InvalidLabFile):  # it may be gone by now
        return InvalidLabFile(message, path=path, line=line_of(text_of(path, hint=hint), *words), hint=hint)
    return InvalidLabFile(message, path=path, line=None, hint=hint)
