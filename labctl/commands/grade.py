"""``labctl grade``: grades one attempt or many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from labctl.grading.score import GradedAttempt
    from labctl.grading.verdict import AttemptVerdict


@dataclass(frozen=True, slots=True)
class Grade:
    """Attempts, graded.

    Args:
        lab: The lab's id.
        title: Its title.
        attempts: The attempts, by id.
        seconds: How long it all took.
    """

    SCHEMA: ClassVar = "labctl/grade/v1"

    lab: str
    title: str
    attempts: tuple[GradedAttempt, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 where all passed, 4 where anything broke, else 1."""
        return max((each.verdict.exit_code for each in self.attempts), default=0)

    @property
    def counts(self) -> Counter[AttemptVerdict]:
        """How many attempts ended how."""
        return Counter(each.verdict for each in self.attempts)
