"""How an exercise, or a step of it, ended."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """How it ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The mail did not do what was expected."""

    ERROR = "error"
    """The exercise or the lab is broken: nothing is known of the mail."""

    SKIPPED = "skipped"
