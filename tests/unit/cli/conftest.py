"""A terminal with nobody before it."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import tty
from typing import TYPE_CHECKING

import pytest

from labctl.report.layout.wrap import columns

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """A pseudo-terminal, with what scrolled out of it; programs write to `stream`."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.scrolled: list[str] = []
        self.cursor = True
        self.resize(24, 80)

    def resize(self, rows: int, columns: int) -> None:
        """Give it another size; 0 is one that it does not know."""
        self.rows, self.columns = rows or 24, columns or 80
        self.lines, self.row = [""] * self.rows, 0
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)

    def read(self) -> str:
        """Return what was written since the last time, and play it.

        A mark of its own ends it, so that nothing is waited for in vain.
        """
        self.stream.write("\x04")
        self.stream.flush()
        said = b""
        while not said.endswith(b"\x04"):
            said += os.read(self._master, 4096)
        text = said[:-1].decode()
        plain = re.sub(r"\r|\x1b\[[0-9]+m", "", text)  # no matter in which colour
        for part in re.findall(r"\x1b\[[?0-9]*[A-Za-z]|\n|[^\x1b\n]+", plain):
            self._play(part)
        return text

    def shown(self) -> list[str]:
        """Return the rows that are not empty."""
        self.read()
        return [each for each in self.lines if each]

    def _play(self, part: str) -> None:
        match part:
            case "\x1b[?25l" | "\x1b[?25h":
                self.cursor = part.endswith("h")
            case "\x1b[2K":
                self.lines[self.row] = ""
            case "\x1b[J":
                self.lines[self.row :] = [""] * (self.rows - self.row)
            case "\x1b[2J":
                self.lines = [""] * self.rows
            case "\x1b[H":
                self.row = 0
            case "\n":
                self.row += 1
                if self.row == self.rows:
                    self.scrolled.append(self.lines.pop(0))
                    self.lines.append("")
                    self.row -= 1
            case _ if up := re.fullmatch(r"\x1b\[([0-9]+)A", part):
                self.row -= int(up[1])
                assert self.row >= 0, "it went beyond the top"
            case _:
                self.lines[self.row] += part
                assert columns(self.lines[self.row]) < self.columns, "the line wraps"


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    found = Terminal()
    try:
        yield found
    finally:
        found.close()
