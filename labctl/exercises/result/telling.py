"""Steps as text, for those who read them in pytest's own reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.exercises.result.verdict import Verdict

if TYPE_CHECKING:
    from labctl.exercises.result.narration import Step

MARKS: Final = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.ERROR: "!", Verdict.SKIPPED: "-"}
"""What stands before a step or an exercise that ended so."""


def told(step: Step) -> str:
    """Return a step as lines: what was done, and indented below it what was seen."""
    head = f"{MARKS[step.verdict]} {_shown(step.text)} ({step.seconds:.2f} s)"
    return "\n".join((head, *(f"    {_shown(each)}" for each in step.evidence)))


def _shown(text: str) -> str:
    """Escape what a terminal would obey: a mail may have written it."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
