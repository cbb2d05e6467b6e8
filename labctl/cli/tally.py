"""Telling how far many attempts have been graded: a row for each that is done, and what is left."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Final, TextIO

from labctl.cli.console import is_live, tell
from labctl.grading.verdict import AttemptVerdict
from labctl.report.grading.verdict import score
from labctl.report.layout.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.grading.score import GradedAttempt

_COLORS: Final = {
    AttemptVerdict.PASSED: "32",
    AttemptVerdict.FAILED: "31",
    AttemptVerdict.REJECTED: "31",
    AttemptVerdict.ERROR: "33",
}

_MINUTE: Final = 60.0


class Tally:
    """Counts attempts on a stream; only a terminal gets colours, and a last line that is drawn again.

    Args:
        stream: Where to.
        environ: The environment; ``NO_COLOR`` and a dumb terminal mean plain lines.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._live = is_live(stream, environ)
        self._color = self._live and not environ.get("NO_COLOR")
        self._token = secrets.token_hex(16) if environ.get("GITHUB_ACTIONS") == "true" else ""
        self._all = 0
        self._done = 0
        self._examined = 0
        self._began = time.monotonic()

    def starts(self, attempts: int, jobs: int) -> None:
        """Say what there is to do."""
        self._all = attempts
        self._began = time.monotonic()
        if self._token:  # what follows has names and words of students, and is no command of GitHub's runner
            self._write(f"::stop-commands::{self._token}\n")
        if attempts > 1:
            self._write(f"{attempts} attempts, {jobs} at a time\n")

    def begins(self, attempt: str) -> None:
        """Say that something is going on, where one waits for a single attempt."""
        if self._all == 1:
            self._write(f"{one_line(attempt)}: being examined in a laboratory\n")

    def ended(self, graded: GradedAttempt) -> None:
        """Write an attempt's row, and how far that is."""
        self._done += 1
        self._examined += not graded.cached
        verdict = graded.verdict.value
        if self._color:
            verdict = f"\x1b[{_COLORS[graded.verdict]}m{verdict}\x1b[0m"
        said = one_line(graded.explanation.partition("\n")[0], 100)
        row = (
            f"{self._done:>{len(str(self._all))}}/{self._all}  {one_line(graded.id)}  {verdict}  "
            f"{score(graded)}"
            f"{'  (as before)' if graded.cached else ''}{f'  {said}' if said else ''}"
        )
        if not self._live:
            left = self._left()
            self._write(f"{row}{f'  [{left}]' if left else ''}\n")
            return
        room = (os.get_terminal_size(self._stream.fileno()).columns or 80) - 1
        self._write(f"\r\x1b[2K{row}\n{self._left()[:room]}")

    def close(self) -> None:
        """End it: a line that is drawn again goes away."""
        if self._live:
            self._write("\r\x1b[2K")
        if self._token and self._all:
            self._write(f"::{self._token}::\n")

    def _left(self) -> str:
        """Estimate by what was examined until now; what was known before says nothing."""
        left = self._all - self._done
        if not left or not self._examined:
            return ""
        seconds = (time.monotonic() - self._began) / self._examined * left
        told = f"{seconds / _MINUTE:.0f} min" if seconds > 2 * _MINUTE else f"{seconds:.0f} s"
        return f"{left} to go, about {told}"

    def _write(self, text: str) -> None:
        tell(text, self._stream)
