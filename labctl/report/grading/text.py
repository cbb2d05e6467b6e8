"""What people read of attempts that were graded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.grading.verdict import (
    counted,
    excerpt,
    hint,
    located,
    mark,
    named,
    points,
    reason,
    score,
    seeded,
    shared_notes,
    unmet,
)
from labctl.report.layout.plain import LONGEST
from labctl.report.layout.table import table
from labctl.report.layout.wrap import brief, columns, padded, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.commands.grade import Grade
    from labctl.grading.job import Rejection
    from labctl.grading.score import GradedAttempt, GradedCheck

_WIDTH: Final = 100
_REASON: Final = 120
_MOST_LINES: Final = 20
_MOST_ROWS: Final = 6
_ROOM: Final = 8_000


def grade(result: Grade, width: int | None = 80) -> str:
    """Show one attempt with all its checks, or many in a table; where `width` is None, none of it is cut."""
    if len(result.attempts) == 1:
        return "\n".join(_attempt(result.title, result.attempts[0]))
    return _overview(result, LONGEST if width is None else _REASON)


def _attempt(title: str, attempt: GradedAttempt) -> Iterator[str]:
    yield f"{brief(title, 100)}: {named(attempt)}"
    yield ""
    if attempt.rejection is not None:
        yield from _rejection(attempt.rejection)
    elif attempt.explanation:
        yield f"{mark(attempt.verdict)} It could not be graded."
        yield from _spread(attempt.explanation.splitlines(), 4)
    names = [brief(each.id, 60) for each in attempt.checks]
    width = max(map(columns, names), default=0)
    room = max((len(_points(each)) for each in attempt.checks), default=0)
    for name, each in zip(names, attempt.checks, strict=True):
        yield f"{mark(each.verdict)} {padded(name, width)}  {_points(each):>{room}}  {brief(each.title)}"
        if each.verdict != CheckVerdict.PASSED:
            yield from _why(each)
        if each.tries > 1:
            yield f"    seen in examination {each.tries}: the one before broke"
    yield ""
    for remark in attempt.remarks:
        yield from _spread((f"note: {remark}",), 0)
    yield f"{attempt.verdict}: {score(attempt)}, {seeded(attempt)}, {attempt.seconds:.1f} s."
    yield from _spread((f"next: {_next(attempt)}",), 2)


def _points(check: GradedCheck) -> str:
    return f"{points(check.score)} / {points(check.max_score)}"


def _why(check: GradedCheck) -> Iterator[str]:
    first, *others = check.explanation.splitlines() or [""]
    if first:
        yield from _spread((first,), 4)
    yield from _spread(others, 6)
    yield from _spread(check.evidence, 6, "| ")
    if told := hint(check):
        yield from _spread((f"hint: {told}",), 4)


def _rejection(rejection: Rejection) -> Iterator[str]:
    """Show why an attempt can't be used: where, in the daemon's own words, and what to do."""
    yield from _spread((f"{mark(AttemptVerdict.REJECTED)} {located(rejection)}",), 0)
    yield from _spread(rejection.said.splitlines(), 6, "| ")


def _next(attempt: GradedAttempt) -> str:
    if attempt.rejection is not None:
        return attempt.rejection.hint
    if attempt.verdict == AttemptVerdict.ERROR:
        broken = next(
            (each for each in unmet(attempt) if each.verdict == CheckVerdict.ERROR and each.path), None
        )
        if broken is not None:
            return f"mend the check {broken.id}, {broken.path}:{broken.line}: it is no fault of the attempt"
        return "grade it again; what broke is no fault of the attempt (labctl doctor)"
    first = next(iter(unmet(attempt)), None)
    if first is None:
        return "nothing is left to do"
    blocked = sum(each.verdict == CheckVerdict.BLOCKED for each in attempt.checks)
    waiting = f"; {blocked} {'check waits' if blocked == 1 else 'checks wait'} for others" if blocked else ""
    return f"begin with {first.id}{waiting}"


def _spread(lines: Sequence[str], margin: int, sign: str = "") -> Iterator[str]:
    """Lay lines out in the width that there is, each behind its margin and sign."""
    left = len(lines) - _MOST_LINES
    rest = [f"[… {left} more lines; --json has them]"] if left > 0 else []
    for line in (*excerpt(lines[:_MOST_LINES], _ROOM), *rest):
        words = line.expandtabs(4).lstrip(" ")
        own = min(len(line) - len(line.lstrip(" ")), 8)
        for row in wrapped(words, _WIDTH - margin - own - len(sign), _MOST_ROWS):
            yield f"{' ' * margin}{sign}{' ' * own}{row}"


def _overview(result: Grade, limit: int) -> str:
    rows = [
        (
            named(each),
            f"{mark(each.verdict)} {each.verdict}",
            score(each),
            ", ".join(check.id for check in unmet(each)),
            brief(reason(each), limit),
        )
        for each in sorted(result.attempts, key=lambda each: each.id)
    ]
    total = f"{counted(result.counts)}, in {result.seconds:.1f} s."
    if not rows:
        return total
    notes = "".join(f"note: {each}\n" for each in shared_notes(result))
    return f"{table(('ATTEMPT', 'VERDICT', 'SCORE', 'FAILED', 'WHY'), rows)}\n\n{notes}{total}"
