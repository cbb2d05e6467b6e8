"""Who sees to it that the checks of one attempt are run in their order, and within the time for all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from labctl.exercises import plugin
from labctl.exercises.result.outcome import Outcome
from labctl.exercises.result.verdict import Verdict

if TYPE_CHECKING:
    from labctl.exercises.running.judgement import ExamJudge
    from labctl.exercises.worker.protocol import Exam


class Proctor:
    """Lets a check begin when those that it needs have passed and there is time left.

    Args:
        exam: The exam.
    """

    def __init__(self, exam: Exam) -> None:
        self.exam = exam
        self._passed = set(exam.passed)
        self._ends = 0.0
        self.judge: ExamJudge | None = None

    def begin(self, judge: ExamJudge | None) -> None:
        """Let the time for all checks begin; who judges them knows the lab."""
        self.judge = judge
        self._ends = time.monotonic() + self.exam.seconds - self.exam.used

    @property
    def _overdue(self) -> str:
        return f"the time for all checks ({self.exam.seconds:g} s) was used up"

    def limit(self, of_one: float) -> tuple[float, str]:
        """Return how long a check may take that begins now, and what it means where that is not enough.

        Args:
            of_one: How long any check may take; if that decides, it means nothing more.
        """
        left = self._ends - time.monotonic()
        return (of_one, "") if of_one <= left else (max(left, 0.0), self._overdue)

    def over(self, check: str, outcome: Outcome) -> None:
        """Take note of how a check ended."""
        if outcome.verdict == Verdict.PASSED:
            self._passed.add(check)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Keep a check from being run that would be in vain."""
        lacking = [each for each in self.exam.needs.get(plugin.id_of(item), ()) if each not in self._passed]
        if lacking:
            outcome = Outcome(Verdict.SKIPPED, f"blocked by {', '.join(lacking)}")
        elif time.monotonic() >= self._ends:
            outcome = Outcome(Verdict.FAILED, self._overdue)
        else:
            return None
        item.stash[plugin.PERFORMANCE].outcome = outcome
        item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001  # pytest left this one's file open
        return True
