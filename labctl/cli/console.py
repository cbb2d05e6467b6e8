"""Printing: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from labctl.errors import LabctlError


def print_result(result: Any, *, as_json: bool) -> None:
    """Print a command's result, as text or as a JSON document."""
    if as_json:
        from labctl.report.document import document, dumped

        _write(dumped(document(result)))
    else:
        from labctl.report.text import text

        _write(text(result))


def print_error(error: LabctlError, *, as_json: bool) -> None:
    """Print an error: as a JSON document where results would be one, else as text."""
    if as_json:
        from labctl.report.document import dumped, error_document

        _write(dumped(error_document(error)))
    else:
        from labctl.report.text import error_text

        print(error_text(error), file=sys.stderr)  # noqa: T201  # the console prints


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_line(text: str) -> None:
    """Print one line at once, for what comes as a stream."""
    _write(text)


class Ticker:
    """Shows work in progress: one line for each subject, drawn again at each change where it is a terminal.

    Args:
        stream: Where to.
        environ: The environment; ``NO_COLOR`` and a dumb terminal mean plain lines.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._live = stream.isatty() and environ.get("TERM") != "dumb"
        self._color = self._live and "NO_COLOR" not in environ
        self._states: dict[str, str] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, subject: str, state: str) -> None:
        """Show that a subject has come to a state."""
        with self._lock:
            if self._states.get(subject) == state:
                return
            height = len(self._states)
            self._states[subject] = state
            if not self._live:
                self._stream.write(f"{time.monotonic() - self._began:7.1f} s  {subject}: {state}\n")
            else:
                back = f"\x1b[{height}A" if height else ""
                self._stream.write(back + "".join(self._line(each) for each in self._states))
            self._stream.flush()

    def _line(self, subject: str) -> str:
        width = max(os.get_terminal_size(self._stream.fileno()).columns - 20, 20)
        state = self._states[subject][:width]
        if self._color and state in {"ready", "removed"}:
            state = f"\x1b[32m{state}\x1b[0m"
        return f"\r\x1b[2K  {subject:<14} {state}\n"
