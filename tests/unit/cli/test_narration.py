"""Exercises on a terminal and elsewhere, as they happen."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.cli.narration import Narration
from labctl.exercises.result.narration import Step
from labctl.exercises.result.outcome import Result
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.worker.runner import Audience

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Terminal

SENT = Step("alice sends", Verdict.PASSED, 0.04, ("250 2.0.0 Ok", "evil \x1b[2J"))
MISSED = Step("Expect a bounce", Verdict.FAILED, 2.0, ())
FAILED = Result(
    "comes-back", "bounces", "A letter comes back.", Verdict.FAILED, 2.1, (SENT, MISSED),
    "expected: a bounce\n    seen: nothing", None, "test_it.py", 12, "printed \x9b2J\n",
)  # fmt: skip

PLAIN = """\
bounces/comes-back
  A letter comes back.
  ✓ alice sends  0.0 s
      250 2.0.0 Ok
      evil \\x1b[2J
  ✗ Expect a bounce  2.0 s
    expected: a bounce
        seen: nothing
    at test_it.py:12
    it printed:
      printed \\x9b2J
  ✗ failed in 2.1 s

"""


def tell(audience: Audience, *, step: bool = False) -> None:
    """Tell of an exercise with two steps, the second of which fails."""
    audience.exercise_begins("bounces", "comes-back", "A letter comes back.")
    for each in (SENT, MISSED):
        if step:
            audience.before_step(each.text)
        audience.step_begins(each.text)
        audience.step_ended(each)
    audience.exercise_ended(FAILED)


def test_elsewhere_than_on_a_terminal_there_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Narration(io.StringIO(), {"TERM": "xterm"}))
    assert capsys.readouterr().out == PLAIN


def test_a_terminal_gets_colours_and_each_step_while_it_lasts(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    narration = Narration(io.StringIO(), {"TERM": "xterm"})
    narration.step_begins("alice sends")
    assert terminal.shown() == ["  · alice sends"]
    narration.step_ended(SENT)
    shown = terminal.read()
    assert "\x1b[1A" in shown
    assert "\x1b[32m✓\x1b[0m alice sends" in shown


@pytest.mark.parametrize("environ", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_without_colours_a_terminal_ends_up_showing_the_same(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    monkeypatch.setattr(sys, "stdout", terminal.stream)
    tell(Narration(io.StringIO(), environ))
    assert "\x1b[3" not in terminal.read()
    assert [each.rstrip() for each in terminal.shown()] == PLAIN.rstrip().splitlines()


def test_in_front_of_a_class_each_step_but_the_first_waits_for_enter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = io.StringIO("\nleft\n")
    tell(Narration(answers, {}), step=True)
    assert answers.read() == "left\n"
    assert "  [Enter] Expect a bounce\n  ✗ Expect a bounce" in capsys.readouterr().out


def test_where_nobody_can_press_enter_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Narration(io.StringIO(), {}), step=True)
    assert "✗ failed" in capsys.readouterr().out


def test_an_encoding_without_these_characters_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    tell(Narration(io.StringIO(), {}))
    written = stream.buffer
    assert isinstance(written, io.BytesIO)
    assert b"  + alice sends" in written.getvalue()


def test_for_programs_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Audience(), step=True)
    assert capsys.readouterr().out == ""
