"""A text drawn again in its place, as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.cli.screen import Screen

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Terminal

ROWS, COLUMNS = 8, 30


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    """A terminal of a few rows."""
    terminal.resize(ROWS, COLUMNS)
    return terminal


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
