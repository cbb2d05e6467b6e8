"""One exercise while it runs: its time, its steps, and what its exceptions mean."""

from __future__ import annotations

import linecache
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from labctl import resources
from labctl.errors import LabctlError
from labctl.exercises.narration import Narrator
from labctl.exercises.outcome import PASSED, Blame, Outcome
from labctl.exercises.verdict import Verdict
from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from labctl.exercises.narration import Listener

LIMIT: Final = 60.0
"""Seconds that one exercise may take."""

TEARDOWN_LIMIT: Final = 30.0

_PACKAGE: Final = Path(resources.__file__).parent


class TimeUp(BaseException):  # read in reports: "time up"
    """An exercise did not end in its time. No `Exception`: who catches those must not catch it."""


class Performance:
    """One exercise while it runs.

    Args:
        path: Its file.
        line: Where it begins there.
        listeners: Told of its steps.
        limit: Seconds that it may take.
        watchdog: Told the seconds that are left whenever the clock runs, and None when it does not.
    """

    def __init__(
        self,
        path: Path,
        line: int,
        listeners: Sequence[Listener] = (),
        *,
        limit: float = LIMIT,
        watchdog: Callable[[float | None], None] = lambda _: None,
    ) -> None:
        self.narrator = Narrator(*listeners)
        self.outcome = PASSED
        self.seconds = 0.0
        self.complaint: Callable[[], str | None] = lambda: None
        """Returns what is broken of the lab; its fixture sets it."""

        self._path = path
        self._line = line
        self._limit = limit
        self._left = limit
        self._watchdog = watchdog
        self._began: float | None = None

    # Its time

    @contextmanager
    def running(self, *, timed: bool = True) -> Iterator[None]:
        """Let the clock run for a block.

        Args:
            timed: Whether the time counts as the exercise's; what comes after it has a limit of its own.

        Raises:
            TimeUp: The time is up.
        """
        if threading.current_thread() is not threading.main_thread() or self._began is not None:
            yield  # only the main thread can be interrupted
            return
        self._left = self._limit - self.seconds if timed else TEARDOWN_LIMIT
        before = signal.signal(signal.SIGALRM, self._time_is_up)
        try:
            self._start()
            yield
        finally:
            self._stop()
            signal.signal(signal.SIGALRM, before)
            if timed:
                self.seconds = self._limit - self._left

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the clock stand still for a block: what is done there is not the exercise's doing."""
        if self._began is None:
            yield
            return
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        self._began = time.monotonic()
        self._watchdog(max(self._left, 0))
        signal.setitimer(signal.ITIMER_REAL, max(self._left, 0.001))

    def _stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._watchdog(None)
        if self._began is not None:
            self._left -= time.monotonic() - self._began
        self._began = None

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TimeUp

    # Its end

    def note(self, raised: pytest.ExceptionInfo[BaseException] | None, *, look: bool) -> None:
        """Take note of how a phase of it ended.

        Args:
            raised: What it raised.
            look: Whether to look after the lab: if that is broken, nothing is known of the mail.
        """
        outcome = PASSED if raised is None else self._judged(raised)
        look = look and outcome.blame != Blame.LAB and outcome.verdict != Verdict.SKIPPED
        if look and (broken := self.complaint()) is not None:
            said = f"\n{outcome.explanation}" if outcome.explanation else ""
            explanation = f"the lab broke: {broken}{said}"
            outcome = Outcome(Verdict.ERROR, explanation, Blame.LAB, *self._place(raised))
        self.outcome = self.outcome.joined(outcome)

    def _judged(self, raised: pytest.ExceptionInfo[BaseException]) -> Outcome:
        error = raised.value
        path, line = self._place(raised)
        match error:
            case pytest.skip.Exception() | pytest.xfail.Exception():
                return Outcome(Verdict.SKIPPED, str(error))
            case BaseExceptionGroup():  # several finalizers failed
                each = [
                    one.with_traceback(one.__traceback__ or error.__traceback__) for one in error.exceptions
                ]
                judged = [self._judged(pytest.ExceptionInfo.from_exception(one)) for one in each]
                return max(judged, key=lambda one: one.gravity)
            case AssertionError() | pytest.fail.Exception() if self._is_finding(raised):
                return Outcome(Verdict.FAILED, str(error) or "an assertion failed", None, path, line)
            case TimeUp():
                said = (
                    f"it did not end within {self._limit:g} s, and was at line {line}: {_source(path, line)}"
                )
                return Outcome(Verdict.ERROR, said, Blame.EXERCISE, path, line)
            case LabctlError() if error.exit_code == 4:  # noqa: PLR2004  # engine, image, service
                return Outcome(Verdict.ERROR, explained(error), Blame.LAB, path, line)
            case _:
                return Outcome(Verdict.ERROR, explained(error), Blame.EXERCISE, path, line)

    def _is_finding(self, raised: pytest.ExceptionInfo[BaseException]) -> bool:
        """Say whether an assertion is about the mail, and not pytest's or labctl's about itself."""
        if isinstance(raised.value, ExpectationFailed):
            return True
        came_from = Path(raised.traceback[-1].path)
        of_labctl = came_from.is_relative_to(_PACKAGE) and not came_from.is_relative_to(resources.labs_dir())
        return line_in(self._path, raised) is not None and not of_labctl

    def _place(self, raised: pytest.ExceptionInfo[BaseException] | None) -> tuple[str, int]:
        if raised is None:
            return str(self._path), self._line
        return str(self._path), line_in(self._path, raised) or self._line


def line_in(path: Path, raised: pytest.ExceptionInfo[BaseException]) -> int | None:
    """Return the line of a file that an exception came through last, or that is no Python."""
    error = raised.value
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [each.lineno + 1 for each in raised.traceback if each.path == path]
    return lines[-1] if lines else None


def explained(error: BaseException) -> str:
    """Return what an exception says, for people."""
    if isinstance(error, LabctlError):
        said = error.detail.get("log") or error.detail.get("said") or ""
        return "\n".join((error.message, *(f"  | {each}" for each in str(said).splitlines())))
    if isinstance(error, pytest.FixtureLookupError):
        return f"it asks for the fixture {error.argname!r}, which there is not"
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}".rstrip(": ")


def _source(path: str, line: int) -> str:
    return linecache.getline(path, line).strip()
