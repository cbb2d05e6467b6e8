"""What people read of exercises: ``exercises``, and the end of ``run``."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Final

from labctl.exercises.result.verdict import Verdict
from labctl.report.layout.plain import LONGEST, one_line
from labctl.report.layout.table import table

if TYPE_CHECKING:
    from labctl.commands.exercises import Exercises
    from labctl.commands.run import Run


_REASON: Final = 120


def exercises(result: Exercises) -> str:
    """Show what there is to run; of a single lab also what each exercise teaches."""
    if not result.exercises:
        return "No exercises."
    if len({each.lab for each in result.exercises}) > 1:
        rows = [(f"{each.lab}/{each.id}", each.title) for each in result.exercises]
        return table(("EXERCISE", "TITLE"), rows)
    parts = [
        "\n".join(
            (
                f"{one_line(f'{each.lab}/{each.id}', 500)}",
                f"  {one_line(each.title, 500)}",
                *((indent(each.description, "    "),) if each.description else ()),
            )
        )
        for each in result.exercises
    ]
    return "\n\n".join(parts)


def run(result: Run, width: int | None = 80) -> str:
    """Sum up what was told while it happened; where `width` is None, no reason is cut."""
    limit = LONGEST if width is None else _REASON
    rows = [
        (
            each.verdict,
            f"{each.lab}/{each.id}",
            f"{each.seconds:.1f} s",
            one_line(each.explanation.partition("\n")[0], limit),
        )
        for each in result.exercises
    ]
    counts = [_counted(count, each) for each in Verdict if (count := result.count(each))]
    total = f"{', '.join(counts) or 'nothing run'}, in {result.seconds:.1f} s."
    if not rows:
        return total
    return f"{table(('VERDICT', 'EXERCISE', 'TIME', 'WHY'), rows)}\n\n{total}"


def _counted(count: int, verdict: Verdict) -> str:
    return f"{count} {verdict}{'s' if verdict == Verdict.ERROR and count > 1 else ''}"
