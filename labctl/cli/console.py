"""Printing: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO

from labctl.cli.encoding import ERRORS
from labctl.errors import OutputError
from labctl.output import writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.errors import LabctlError


_UNKNOWN: Final = 80
"""Columns of a terminal that does not tell how many it has."""
_WIDEST: Final = 10_000
_DIGITS: Final = 6
_SELDOM: Final = 2.0
"""Seconds between two lines of a log that differ in their numbers only."""
_NUMBER: Final = re.compile(r"[0-9]+")


def print_result(result: Any, *, as_json: bool) -> None:
    """Print a command's result, as text or as a JSON document."""
    if as_json:
        from labctl.report.document import document, dumped

        write_line(dumped(document(result)))
    else:
        from labctl.report.text import text

        write_line(text(result, width()))


def print_error(error: LabctlError, *, as_json: bool, debug: bool = False) -> None:
    """Print an error: as a JSON document where results would be one, else as text.

    Args:
        error: The error.
        as_json: Whether the command was told ``--json``.
        debug: Whether its traceback goes before it, to standard error.
    """
    if debug:
        import traceback

        tell("".join(traceback.format_exception(error)))
    if as_json:
        from labctl.report.document import dumped, error_document

        with suppress(OutputError):  # the error may be that nothing can be written there: it is told in words
            write_line(dumped(error_document(error)))
            return
    from labctl.report.text import error_text

    tell(error_text(error) + "\n")


def write_line(text: str) -> None:
    """Print one line at once."""
    write(sys.stdout, text + "\n")


def write_file(path: Path, text: str, *, append: bool = False) -> None:
    """Write a file that was asked for, or add to it; ``-`` is standard output.

    Raises:
        OutputError: It can't be written.
    """
    with writing(path, stdout=binary_output(), append=append) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def binary_output() -> BinaryIO | None:
    """Return standard output for bytes; None where it was closed, or takes text only."""
    return getattr(sys.stdout, "buffer", None)


def width() -> int | None:
    """Return how many columns a line may take: what ``COLUMNS`` says, else those of the terminal.

    Returns:
        None where the output goes elsewhere: a line may be as long as it needs, for who searches in it.
    """
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said[:_DIGITS]) > 0:
        return min(int(said[:_DIGITS]), _WIDEST)
    if not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or _UNKNOWN


def write_said(stdout: str, stderr: str) -> None:
    """Pass on what a command on a host said; a terminal gets no character that would command it."""
    from labctl.report.layout.plain import harmless

    for stream, said in ((sys.stdout, stdout), (sys.stderr, stderr)):
        write(stream, harmless(said) if stream.isatty() else said, as_data=True)


def write(stream: TextIO, text: str, *, as_data: bool = False) -> None:
    """Write text; what the stream's encoding can't say is told otherwise (`labctl.cli.encoding`).

    Args:
        stream: Where to.
        text: The text.
        as_data: Whether programs are to get it unchanged, in UTF-8, whatever the locale.

    Raises:
        OutputError: The stream can't be written, as on a full disk.
    """
    encoding = stream.encoding or "utf-8"
    try:
        if as_data and isinstance(stream, io.TextIOWrapper) and not stream.isatty():
            stream.buffer.write(text.encode("utf-8", ERRORS))
        else:
            stream.write(text.encode(encoding, ERRORS).decode(encoding))
        stream.flush()
    except BrokenPipeError:  # who read it has had enough
        raise
    except OSError as exc:
        name = "standard error" if stream is sys.stderr else "standard output"
        hint = "df -h" if exc.errno in {errno.ENOSPC, errno.EDQUOT} else "labctl … > FILE"
        raise OutputError(f"{name} can't be written: {exc.strerror}", hint=hint) from exc


def tell(text: str, stream: TextIO | None = None) -> None:
    """Write what is no result to standard error, or another stream: where nobody can hear it, no matter."""
    with suppress(OSError, OutputError):
        write(stream or sys.stderr, text)


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether what was written can be drawn again: on a terminal that is not a dumb one."""
    return stream.isatty() and environ.get("TERM") != "dumb"


class Ticker:
    """Shows work in progress: one line for each subject, drawn again at each change where it is a terminal.

    Where it is none, each change is a line, but what only counts on (``saving, 17 MB``) is one now and then.

    Args:
        stream: Where to.
        environ: The environment; ``NO_COLOR`` and a dumb terminal mean plain lines.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._live = is_live(stream, environ)
        self._color = self._live and not environ.get("NO_COLOR")
        self._states: dict[str, str] = {}
        self._told: dict[str, float] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, subject: str, state: str) -> None:
        """Show that a subject has come to a state."""
        from labctl.report.layout.plain import one_line

        subject, state = one_line(subject), one_line(state, 1000)
        with self._lock:
            before = self._states.get(subject, "")
            if before == state:
                return
            height = len(self._states)
            self._states[subject] = state
            if not self._live:
                now = time.monotonic()
                counts = bool(before) and _NUMBER.sub("", before) == _NUMBER.sub("", state)
                if not counts or now - self._told[subject] >= _SELDOM:
                    self._told[subject] = now
                    tell(f"{now - self._began:7.1f} s  {subject}: {state}\n", self._stream)
            else:
                back = f"\x1b[{height}A" if height else ""
                tell(back + "".join(self._line(each) for each in self._states), self._stream)

    def _line(self, subject: str) -> str:
        # A line that wraps would take two, and the next drawing would begin in the wrong one.
        room = (os.get_terminal_size(self._stream.fileno()).columns or 80) - 1
        head = f"  {subject:<14} "[:room]
        state = self._states[subject][: room - len(head)]
        if self._color and state in {"ready", "removed"}:
            state = f"\x1b[32m{state}\x1b[0m"
        return f"\r\x1b[2K{head}{state}\n"


def ticker() -> Ticker:
    """Show progress on standard error."""
    return Ticker(sys.stderr, os.environ)
