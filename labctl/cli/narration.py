"""Telling exercises on a terminal while they run: each step, how it ended, and its evidence."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

from labctl.cli.console import is_live, write_line
from labctl.exercises.result.telling import MARKS
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.worker.runner import Audience
from labctl.report.layout.plain import harmless, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.exercises.result.narration import Step
    from labctl.exercises.result.outcome import Result

_COLORS: Final = {Verdict.PASSED: "32", Verdict.FAILED: "31", Verdict.ERROR: "33", Verdict.SKIPPED: "36"}
_FAINT: Final = "2"
_BOLD: Final = "1"

_UP: Final = "\x1b[1A\r\x1b[2K"
"""Makes a terminal forget the line that was written last."""


class Narration(Audience):
    """Tells what happens. Only a terminal gets colours, and a step while it lasts.

    Args:
        answers: Where a person presses Enter.
        environ: The environment; ``NO_COLOR`` and a dumb terminal mean plain lines.
    """

    def __init__(self, answers: TextIO, environ: Mapping[str, str]) -> None:
        self._answers = answers
        self._live = is_live(sys.stdout, environ)
        self._color = self._live and not environ.get("NO_COLOR")
        self._first = True
        self._transient = False

    def exercise_begins(self, lab: str, exercise: str, title: str) -> None:
        """Name the exercise."""
        self._say(self._painted(_BOLD, one_line(f"{lab}/{exercise}", 500)))
        self._say(f"  {one_line(title, 500)}")

    def before_step(self, text: str) -> None:
        """Say what would come next, and wait for Enter, but for the first step; at the input's end go on."""
        if not self._first:
            self._say(f"  {self._painted(_FAINT, f'[Enter] {one_line(text)}')}")
            self._answers.readline()
            self._transient = self._live and self._answers.isatty()  # which has shown the line's end itself
        self._first = False

    def step_begins(self, text: str) -> None:
        """Show a step while it lasts, where the line can be taken back."""
        if self._live:
            room = os.get_terminal_size(sys.stdout.fileno()).columns or 80
            self._say(f"  · {one_line(text, max(room // 2 - 5, 10))}")
            self._transient = True

    def step_ended(self, step: Step) -> None:
        """Tell how a step ended, and what was seen."""
        mark = self._painted(_COLORS[step.verdict], MARKS[step.verdict])
        took = self._painted(_FAINT, f"{step.seconds:.1f} s")
        self._say(f"  {mark} {one_line(step.text, 500)}  {took}")
        for line in step.evidence:
            self._say("      " + self._painted(_FAINT, harmless(line)))

    def exercise_ended(self, result: Result) -> None:
        """Tell how an exercise ended, and why where it did not pass."""
        for line in result.explanation.splitlines():
            self._say("    " + harmless(line))
        if result.path is not None and result.verdict in {Verdict.FAILED, Verdict.ERROR}:
            self._say(f"    at {one_line(result.path, 500)}:{result.line}")
        if result.printed and result.verdict != Verdict.PASSED:
            self._say("    it printed:")
            for line in result.printed.splitlines():
                self._say("      " + harmless(line))
        verdict = self._painted(_COLORS[result.verdict], f"{MARKS[result.verdict]} {result.verdict}")
        self._say(f"  {verdict} in {result.seconds:.1f} s\n")

    def _say(self, text: str) -> None:
        back, self._transient = (_UP if self._transient else ""), False
        write_line(back + text)

    def _painted(self, color: str, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._color else text
