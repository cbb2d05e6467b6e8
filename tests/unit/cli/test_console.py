"""What goes to which stream, on terminals and elsewhere."""

from __future__ import annotations

import io
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

from labctl.cli.console import Ticker, print_error, width, write_line, write_said
from labctl.errors import NoSuchHost

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Terminal


def test_progress_that_goes_to_a_file_is_one_plain_line_for_each_change() -> None:
    stream = io.StringIO()
    tell = Ticker(stream, {})
    for subject, state in (
        ("mx-alpha", "starting"),
        ("dns", "ready"),
        ("mx-alpha", "starting"),
        ("mx-alpha", "ready"),
    ):
        tell(subject, state)
    lines = stream.getvalue().splitlines()
    assert [re.sub(r"^ *[0-9.]+ s  ", "", each) for each in lines] == [
        "mx-alpha: starting",
        "dns: ready",
        "mx-alpha: ready",
    ]
    assert "\x1b" not in stream.getvalue()


def test_what_only_counts_on_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, clock = io.StringIO(), iter([0.0, *(each / 10 for each in range(51))])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    tell = Ticker(stream, {})
    for each in range(50):
        tell("images", f"saving, {each} MB")
    tell("images", "saved")
    said = [each.partition(": ")[2] for each in stream.getvalue().splitlines()]
    assert said == ["saving, 0 MB", "saving, 20 MB", "saving, 40 MB", "saved"]


def test_progress_on_a_terminal_is_one_line_for_each_subject_drawn_again(terminal: Terminal) -> None:
    tell = Ticker(terminal.stream, {"TERM": "xterm"})
    for subject, state in (("dns", "starting"), ("mx-alpha", "starting"), ("dns", "ready")):
        tell(subject, state)
    said = terminal.read()
    assert [each.split() for each in terminal.shown()] == [["dns", "ready"], ["mx-alpha", "starting"]]
    assert "\x1b[32mready\x1b[0m" in said


@pytest.mark.parametrize(("value", "colored"), [("1", False), ("", True)])
def test_no_color_takes_the_color_and_leaves_the_drawing(
    terminal: Terminal, *, value: str, colored: bool
) -> None:
    tell = Ticker(terminal.stream, {"TERM": "xterm", "NO_COLOR": value})
    tell("dns", "starting")
    tell("dns", "ready")
    said = terminal.read()
    assert ("\x1b[32m" in said) == colored
    assert [each.split() for each in terminal.shown()] == [["dns", "ready"]]


def test_a_dumb_terminal_gets_plain_lines(terminal: Terminal) -> None:
    tell = Ticker(terminal.stream, {"TERM": "dumb"})
    tell("dns", "ready")
    assert "\x1b" not in terminal.read()


@pytest.mark.parametrize("columns", [10, 40, 0])
def test_no_line_wraps_whatever_the_terminals_width(terminal: Terminal, columns: int) -> None:
    terminal.resize(24, columns)
    tell = Ticker(terminal.stream, {"TERM": "xterm"})
    tell("a-subject-with-a-long-name", "step 7/9: " + "x" * 300)
    (line,) = terminal.shown()
    assert len(line) == (columns or 80) - 1


def test_a_state_that_a_build_brought_can_not_command_the_terminal(terminal: Terminal) -> None:
    tell = Ticker(terminal.stream, {"TERM": "xterm"})
    tell("image mta", "Step 1\n\x1b[2J\x07")
    said = terminal.read()
    assert "\x1b[2J" not in said
    assert "\x07" not in said
    assert len(terminal.shown()) == 1


def test_what_a_command_on_a_host_said_is_passed_on_as_it_is_where_no_terminal_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_said("a\x1b[1m\n", "b\x07")
    assert tuple(capsys.readouterr()) == ("a\x1b[1m\n", "b\x07")


def test_what_a_command_on_a_host_said_can_not_command_a_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    write_said("a\x1b[2J\n", "")
    assert terminal.read() == "a\\x1b[2J\n"


@pytest.mark.parametrize(
    ("columns", "here", "elsewhere"),
    [
        (None, 66, None),
        ("120", 120, 120),
        ("", 66, None),
        ("0", 66, None),
        ("-5", 66, None),
        ("wide", 66, None),
        ("٣", 66, None),
        ("9" * 5000, 10_000, 10_000),
    ],
)
def test_columns_tell_the_width_and_else_the_terminal_does_and_else_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: str | None, here: int, elsewhere: int | None
) -> None:
    terminal.resize(24, 66)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    assert width() == here
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert width() == elsewhere


def test_what_programs_get_is_unchanged_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", plain)
    write_said("é ┌\n", "")
    assert plain.buffer.getvalue() == "é ┌\n".encode()


def test_a_stream_that_can_not_say_a_character_gets_its_sign_in_ascii_or_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", latin)
    write_line("é ┌ €")
    assert latin.buffer.getvalue() == b"\xe9 + \\u20ac\n"


def test_an_error_goes_to_standard_error_or_as_a_document_to_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = NoSuchHost("no host 'x'", hint="labctl status")
    print_error(error, as_json=False)
    assert tuple(capsys.readouterr()) == ("", "labctl: no host 'x'\n  next: labctl status\n")
    print_error(error, as_json=True)
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert err == ""


def test_a_traceback_goes_before_the_error_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    error = NoSuchHost("no host 'x'", hint="labctl status")
    error.__cause__ = KeyError("x")
    print_error(error, as_json=True, debug=True)
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert "KeyError: 'x'" in err
