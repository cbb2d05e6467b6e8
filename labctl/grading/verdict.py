"""How a check ended, and how an attempt."""

from __future__ import annotations

from enum import StrEnum


class CheckVerdict(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The student's system did not do what was asked for, or not in time."""

    BLOCKED = "blocked"
    """A check that this one needs has not passed, so it was not run."""

    SKIPPED = "skipped"
    ERROR = "error"
    """The lab, the engine or the check itself broke: nothing is known of the student's system."""


class AttemptVerdict(StrEnum):
    """How an attempt ended."""

    PASSED = "passed"
    """Every check passed, or was skipped."""

    FAILED = "failed"
    REJECTED = "rejected"
    """What was handed in can't be used at all: a file is missing or forbidden, or its daemon refused it."""

    ERROR = "error"
    """A check, or the whole lab, broke: this is no score."""

    @property
    def exit_code(self) -> int:
        """What it means for the command: the highest of all attempts' is its exit code."""
        return {AttemptVerdict.PASSED: 0, AttemptVerdict.ERROR: 4}.get(self, 1)
