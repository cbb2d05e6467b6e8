"""One exercise while it runs: its time, its steps, and what its exceptions mean."""

from __future__ import annotations

import linecache
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import pytest

from labctl import resources
from labctl.errors import FaultError, GradingError, LabctlError
from labctl.exercises.result.narration import Narrator
from labctl.exercises.result.outcome import PASSED, Blame, Outcome, told_below
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.vocabulary.expectation import ExpectationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from labctl.exercises.result.narration import Listener

LIMIT: Final = 60.0
"""Seconds that one exercise may take."""

TEARDOWN_LIMIT: Final = 30.0

_PACKAGE: Final = Path(resources.__file__).parent

_LAB: Final = "lab.toml"


class TimeUp(BaseException):  # read in reports: "time up"
    """An exercise did not end in its time. No `Exception`: who catches those must not catch it."""


class Judge(Protocol):
    """Who knows what the makers of a check can't be blamed for: it is done by somebody else's daemons."""

    def judged(self, error: BaseException) -> Outcome | None:
        """Judge what a check raised; None where that is the check's own doing."""

    def out_of_time(self, said: str) -> Outcome:
        """Judge a check that did not end in its time, which `said` tells."""


@dataclass(slots=True, eq=False)
class Performance:
    """One exercise while it runs.

    Args:
        path: Its file.
        line: Where it begins there.
        listeners: Told of its steps.
        limit: Seconds that it may take.
        watchdog: Told the seconds that are left whenever the clock runs, and None when it does not.
        judge: Judges what it raises before that is blamed on its file.
        overdue: What it means that its time is up, where the limit is none of its own.
    """

    path: Path
    line: int
    listeners: InitVar[Sequence[Listener]] = ()
    _: KW_ONLY
    limit: float = LIMIT
    watchdog: Callable[[float | None], None] = lambda _: None
    judge: Judge | None = None
    overdue: str = ""

    narrator: Narrator = field(init=False)
    outcome: Outcome = field(default=PASSED, init=False)
    seconds: float = field(default=0.0, init=False)
    complaint: Callable[[], str | None] = field(default=lambda: None, init=False)
    """Returns what is broken of the lab; its fixture sets it."""

    defeat: Callable[[], Outcome | None] = field(default=lambda: None, init=False)
    """Returns what an attempt has done to its hosts; the lab's fixture sets it."""

    overheard: Callable[[], tuple[str, ...]] = field(default=tuple, init=False)
    """Returns what an attempt's daemons complained of meanwhile; the lab's fixture sets it."""

    _left: float = field(default=0.0, init=False)
    _began: float | None = field(default=None, init=False)

    def __post_init__(self, listeners: Sequence[Listener]) -> None:
        self.narrator = Narrator(*listeners)

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
        self._left = self.limit - self.seconds if timed else TEARDOWN_LIMIT
        before = signal.signal(signal.SIGALRM, self._time_is_up)
        try:
            self._start()
            yield
        finally:
            self._stop()
            signal.signal(signal.SIGALRM, before)
            if timed:
                self.seconds = self.limit - self._left

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
        self.watchdog(max(self._left, 0))
        signal.setitimer(signal.ITIMER_REAL, max(self._left, 0.001))

    def _stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.watchdog(None)
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
        elif look and outcome.blame is None and (defeat := self.defeat()) is not None:
            evidence = (*outcome.evidence, *defeat.evidence)
            reasons = [each for each in (defeat.reason, outcome.reason) if each]
            explanation = "\n".join(reasons) + told_below(evidence)
            outcome = Outcome(defeat.verdict, explanation, defeat.blame, *self._place(raised), evidence)
        if look and outcome.exit_code and outcome.blame != Blame.LAB:
            told = "\n".join(outcome.evidence)
            outcome = outcome.proven_by(each for each in self.overheard() if each not in told)
        self.outcome = self.outcome.joined(outcome)

    def _judged(self, raised: pytest.ExceptionInfo[BaseException]) -> Outcome:
        error = raised.value
        path, line = self._place(raised)
        if isinstance(error, BaseExceptionGroup):  # several finalizers failed
            each = [one.with_traceback(one.__traceback__ or error.__traceback__) for one in error.exceptions]
            every = [self._judged(pytest.ExceptionInfo.from_exception(one)) for one in each]
            return max(every, key=lambda one: one.gravity)
        judged = self.judge.judged(error) if self.judge is not None else None
        outcome = judged or self._blamed(raised, line)
        if outcome.verdict == Verdict.SKIPPED:
            return outcome
        return replace(outcome, path=path, line=line)

    def _blamed(self, raised: pytest.ExceptionInfo[BaseException], line: int) -> Outcome:
        """Judge by the kind of exception alone."""
        error = raised.value
        match error:
            case pytest.skip.Exception() | pytest.xfail.Exception():
                return Outcome(Verdict.SKIPPED, str(error))
            case ExpectationFailed():
                return Outcome(Verdict.FAILED, str(error), evidence=error.evidence)
            case AssertionError() | pytest.fail.Exception() if self._is_finding(raised):
                return Outcome(Verdict.FAILED, str(error) or "an assertion failed")
            case TimeUp():
                return self._late(line)
            case _:
                of_lab = isinstance(error, LabctlError) and error.exit_code == 4  # noqa: PLR2004  # engine, image, service
                # Of an attempt's own file a host may refuse any fault: the check has to cope with that.
                own = GradingError if self.judge is None else GradingError | FaultError
                blame = Blame.LAB if of_lab and not isinstance(error, own) else Blame.EXERCISE
                return Outcome(Verdict.ERROR, explained(error) + self._elsewhere(raised), blame)

    def _elsewhere(self, raised: pytest.ExceptionInfo[BaseException]) -> str:
        """Name the line that raised, where that is in another file beside it or of the same lab."""
        lab = self.path.parent
        if (lab.parent / _LAB).is_file():
            lab = lab.parent
        last = raised.traceback[-1] if raised.traceback else None
        if last is None or last.path == self.path or not Path(last.path).is_relative_to(lab):
            return ""
        return f" ({Path(last.path).relative_to(lab)}:{last.lineno + 1})"

    def _late(self, line: int) -> Outcome:
        said = self.overdue or f"it did not end within {self.limit:g} s"
        source = linecache.getline(str(self.path), line).strip()
        said = f"{said}, and was at line {line}: {source}"
        if self.judge is not None:
            return self.judge.out_of_time(said)
        if self.overdue:  # others have used up the time
            return Outcome(Verdict.FAILED, said)
        return Outcome(Verdict.ERROR, said, Blame.EXERCISE)

    def _is_finding(self, raised: pytest.ExceptionInfo[BaseException]) -> bool:
        """Say whether an assertion is about the mail, and not pytest's or labctl's about itself."""
        came_from = Path(raised.traceback[-1].path)
        of_labctl = came_from.is_relative_to(_PACKAGE) and not came_from.is_relative_to(resources.labs_dir())
        return line_in(self.path, raised) is not None and not of_labctl

    def _place(self, raised: pytest.ExceptionInfo[BaseException] | None) -> tuple[str, int]:
        if raised is None:
            return str(self.path), self.line
        return str(self.path), line_in(self.path, raised) or self.line


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
        return error.told
    if isinstance(error, pytest.FixtureLookupError):
        return f"it asks for the fixture {error.argname!r}, which there is not"
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}".rstrip(": ")
