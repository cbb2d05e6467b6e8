"""Programs of this machine that labctl starts, and that end when labctl is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

TAIL: Final = 30
"""Lines of output that are kept to explain a failure."""

GRACE: Final = 15.0
"""Seconds a program has to clean up behind itself; mmdebstrap removes its file system tree in them."""


class Stopped(Exception):  # it ends a thread's work and is nobody's error
    """The work was called off."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: its exit code and the last lines it said."""

    exit_code: int
    tail: tuple[str, ...]

    @property
    def last(self) -> str:
        """Its last line, or that there was none."""
        return self.tail[-1] if self.tail else f"it said nothing and ended with {self.exit_code}"


class Children:
    """Programs that run for one piece of work, each in a process group of its own.

    A terminal's Ctrl-C thus reaches labctl alone, which calls `stop`: the groups end, helpers of helpers
    included.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self.stopped = False
        self._alarms: list[threading.Event] = []

    def check(self) -> None:
        """Raise `Stopped` where the work was called off."""
        if self.stopped:
            raise Stopped

    def wake(self) -> threading.Event:
        """Return an event to wait for that is set, at the latest, when the work is called off."""
        event = threading.Event()
        with self._lock:
            self._alarms.append(event)
            if self.stopped:
                event.set()
        return event

    def run(
        self,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        finish: bool = False,
    ) -> Finished:
        """Run a program to its end.

        Args:
            argv: The program and its arguments.
            environ: Its whole environment.
            cwd: The directory it runs in.
            on_line: Called with each line it says, on either stream.
            finish: Let it end by itself even when the work is called off: a package manager that is
                stopped half-way leaves its machine broken.

        Raises:
            Stopped: The work was called off before the program could start.
        """
        with self._lock:
            self.check()
            process = subprocess.Popen(
                argv,
                env=dict(environ),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            if not finish:
                self._running.add(process)
        tail: deque[str] = deque(maxlen=TAIL)
        try:
            assert process.stdout is not None
            with process.stdout as said:
                for line in said:
                    if text := line.strip():
                        tail.append(text)
                        if on_line is not None:
                            on_line(text)
            return Finished(process.wait(), tuple(tail))
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """Call the work off: end all programs, and start no more."""
        with self._lock:
            self.stopped = True
            running = list(self._running)
            for event in self._alarms:
                event.set()
        for process in running:
            _signal(process, signal.SIGTERM)
        if eventually(lambda: all(_ended(each) for each in running) or None, within=GRACE) is None:
            for process in running:
                _signal(process, signal.SIGKILL)


def _ended(process: subprocess.Popen[str]) -> bool:
    if process.poll() is None:
        return False
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # with start_new_session the group has the process's own id
    except ProcessLookupError:
        return
