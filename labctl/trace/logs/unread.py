"""The lines of a log that can't be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from labctl.errors import quoted

_SHOWN: Final = 100
_SEPARATOR: Final = re.compile(rb"\s*+(?:--.*|==>.*<==|\.{3}|```[a-z]*+|[\[\]{}(),]*+)\s*+", re.DOTALL)


@dataclass(slots=True)
class Unread:
    """How many lines of a log can't be read, counted on one way through it, and which is the first."""

    count: int = 0
    first: bytes = b""
    _offset: int = -1

    def add(self, line: bytes, offset: int) -> None:
        """Count a line, unless it was on an earlier way."""
        if offset > self._offset and not is_between(line):
            self._offset = offset
            self.count += 1
            self.first = self.first or line[:_SHOWN]

    def warning(self, name: str) -> str:
        """Return what to tell of a log; empty where there is nothing."""
        if not self.count:
            return ""
        lines = f"{self.count} lines" if self.count > 1 else "one line"
        return f"{name}: {lines} can't be read, and the first is {shown(self.first)}"


def is_between(line: bytes) -> bool:
    """Whether a line only stands between others: it is empty, or grep, tail or journalctl wrote it."""
    return _SEPARATOR.fullmatch(line) is not None


def shown(line: bytes) -> str:
    """Return as much of a line as is shown to people."""
    return quoted(line[:_SHOWN].decode("utf-8", "replace").strip(), _SHOWN)
