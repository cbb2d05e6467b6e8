"""A text drawn again in its place, as a terminal shows it."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import tty
from typing import TYPE_CHECKING

import pytest

from labctl.cli.screen import Screen
from labctl.report.layout.wrap import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS, COLUMNS = 8, 30


class Terminal:
    """A terminal of a few rows, with what scrolled out of it; programs write to `stream`."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.rows, self.columns = ROWS, COLUMNS
        self.resize(ROWS, COLUMNS)
        self.scrolled: list[str] = []
        self.lines = [""] * ROWS
        self.row = 0
        self.cursor = True

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)

    def shown(self) -> list[str]:
        """Play what was written since the last time; return the rows that are not empty."""
        self.stream.write("\x04")
        self.stream.flush()
        said = b""
        while not said.endswith(b"\x04"):
            said += os.read(self._master, 4096)
        for part in re.findall(r"\x1b\[[?0-9]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", said[:-1].decode()):
            self._play(part)
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
            case "\r":
                pass
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


def test_a_text_takes_the_place_of_the_one_before(terminal: Terminal) -> None:
    with Screen(terminal.stream) as screen:
        screen.show("one\ntwo\nthree")
        assert terminal.shown() == ["one", "two", "three"]
        screen.show("four")
        assert terminal.shown() == ["four"]
        screen.show("five\nsix")
    assert terminal.shown() == ["five", "six"]
    assert terminal.scrolled == []


def test_what_was_there_before_stays(terminal: Terminal) -> None:
    terminal.stream.write("".join(f"$ command {n}\n" for n in range(6)))
    with Screen(terminal.stream) as screen:
        screen.show("one")
        screen.show("one\ntwo\nthree")
        screen.show("ONE\nTWO\nTHREE")
    assert terminal.shown() == [f"$ command {n}" for n in range(2, 6)] + ["ONE", "TWO", "THREE"]
    assert terminal.scrolled == ["$ command 0", "$ command 1"]


def test_the_cursor_is_hidden_while_it_is_drawn_and_back_whatever_ended_that(terminal: Terminal) -> None:
    def draw() -> None:
        with Screen(terminal.stream) as screen:
            screen.show("one")
            terminal.shown()
            assert not terminal.cursor
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw()
    terminal.shown()
    assert terminal.cursor


def test_a_text_longer_than_the_terminal_is_cut_and_that_is_told(terminal: Terminal) -> None:
    with Screen(terminal.stream) as screen:
        for begin in (0, 100):
            screen.show("\n".join(str(begin + n) for n in range(20)))
            assert terminal.shown() == [*(str(begin + n) for n in range(6)), "… 14 more lines: they need a "]
    assert terminal.scrolled == []


def test_a_line_longer_than_the_terminal_is_cut_by_its_columns(terminal: Terminal) -> None:
    with Screen(terminal.stream) as screen:
        screen.show("x" * 1000 + "\n" + "郵" * 1000)
        assert terminal.shown() == ["x" * (COLUMNS - 1), "郵" * ((COLUMNS - 1) // 2)]


@pytest.mark.parametrize(("rows", "columns"), [(ROWS, 12), (ROWS, 60), (4, COLUMNS)])
def test_a_terminal_of_another_size_is_drawn_anew(terminal: Terminal, rows: int, columns: int) -> None:
    with Screen(terminal.stream) as screen:
        screen.show("one\ntwo\nthree\nfour\nfive")
        terminal.shown()
        terminal.resize(rows, columns)
        terminal.lines = ["what the terminal made of it"] * rows
        terminal.row = rows - 1
        screen.show("ONE\nTWO")
        assert terminal.shown() == ["ONE", "TWO"]
        screen.show("1\n2")
        assert terminal.shown() == ["1", "2"]


def test_a_terminal_that_does_not_know_its_size_is_taken_for_a_usual_one(terminal: Terminal) -> None:
    terminal.resize(0, 0)
    assert Screen(terminal.stream).columns == 79
