"""Nothing is installed without a yes."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

import pytest
import typer

from labctl.cli.connection import _confirmation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Return a function that makes a terminal this process's input and error output, and types there."""
    master, slave = os.openpty()
    streams: list[TextIO] = [os.fdopen(slave, "r"), os.fdopen(os.dup(slave), "w")]

    def typed(keys: bytes) -> None:
        # Only now: pytest puts its own streams in place when the test itself begins.
        monkeypatch.setattr(sys, "stdin", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        os.write(master, keys)

    yield typed
    for each in streams:
        each.close()
    os.close(master)


def test_yes_on_the_command_line_is_a_yes() -> None:
    assert _confirmation(yes=True)("Install Docker Engine?")


def test_without_a_terminal_nobody_is_asked_and_the_answer_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert not _confirmation(yes=False)("Install Docker Engine?")


@pytest.mark.parametrize(
    ("keys", "answer"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"x\ny\n", True)]
)
def test_at_a_terminal_the_user_is_asked_and_no_is_the_default(
    type_in: Callable[[bytes], None],
    *,
    keys: bytes,
    answer: bool,
) -> None:
    type_in(keys)
    assert _confirmation(yes=False)("Install Docker Engine?") is answer


def test_the_end_of_the_input_is_no_yes(type_in: Callable[[bytes], None]) -> None:
    type_in(b"\x04")
    with pytest.raises(typer.Abort):
        _confirmation(yes=False)("Install Docker Engine?")


def test_a_terminal_whose_error_output_goes_elsewhere_is_not_asked(
    type_in: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    type_in(b"y\n")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not _confirmation(yes=False)("Install Docker Engine?")
