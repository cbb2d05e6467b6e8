"""A text that is drawn again in its place on a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Self, TextIO

from labctl.cli.console import write

if TYPE_CHECKING:
    from types import TracebackType

_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"
_CLEAR_ALL: Final = "\x1b[H\x1b[2J"
_CLEAR_BELOW: Final = "\x1b[J"
_CLEAR_LINE: Final = "\r\x1b[2K"
_UNKNOWN: Final = os.terminal_size((80, 24))


class Screen:
    """Shows a text, and replaces it by the next one where it stands.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._height = 0
        self._size: os.terminal_size | None = None

    def __enter__(self) -> Self:
        write(self._stream, _HIDE_CURSOR)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        write(self._stream, _SHOW_CURSOR)

    @property
    def columns(self) -> int:
        """How many columns a line may take: in the last one some terminals begin a new line."""
        return max(self._now().columns - 1, 1)

    def show(self, text: str) -> None:
        """Draw a text where the one before was; what does not fit is cut, and that is said.

        A terminal whose size has changed may have broken the old lines anew: nobody knows where the text
        began, and the screen is cleared.
        """
        from labctl.report.layout.wrap import cut

        size = self._now()
        if self._size in {None, size}:
            start = f"\x1b[{self._height}A" if self._height else ""
        else:
            start = _CLEAR_ALL
        lines = self._fitting(text.splitlines(), max(size.lines - 1, 1))
        drawn = "".join(f"{_CLEAR_LINE}{cut(each, self.columns)}\n" for each in lines)
        write(self._stream, f"{start}{drawn}{_CLEAR_BELOW}")
        self._height, self._size = len(lines), size

    def _fitting(self, lines: list[str], room: int) -> list[str]:
        """Leave out lines that would scroll away, and could not be drawn over any more."""
        if len(lines) <= room:
            return lines
        left_out = len(lines) - room + 1
        return [*lines[: room - 1], f"… {left_out} more lines: they need a taller window"]

    def _now(self) -> os.terminal_size:
        size = os.get_terminal_size(self._stream.fileno())
        return os.terminal_size((size.columns or _UNKNOWN.columns, size.lines or _UNKNOWN.lines))
