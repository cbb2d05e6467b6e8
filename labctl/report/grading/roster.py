"""Graded attempts as a table for a spreadsheet: a row for each attempt, a column for each check."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from labctl.grading.seeds import FORMULA
from labctl.grading.verdict import AttemptVerdict
from labctl.report.grading.verdict import points, reason
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt

_HEAD: Final = ("id", "verdict", "score", "max_score", "percent", "seed", "seed_from", "seconds")


def roster(result: Grade) -> str:
    """Return graded attempts as CSV (RFC 4180, but for its line ends, which are LF).

    It is for the teacher: hidden checks are in it. Where the grader broke, score and percent are empty, for
    that is no zero. A text that a spreadsheet would take for a formula has an apostrophe before it ("CSV
    Injection", OWASP).
    """
    checks = tuple(dict.fromkeys(check.id for each in result.attempts for check in each.checks))
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow((*_HEAD, *(f"check:{_cell(each)}" for each in checks), "explanation"))
    writer.writerows(_row(each, checks) for each in sorted(result.attempts, key=lambda each: each.id))
    return lines.getvalue()


def _row(attempt: GradedAttempt, checks: tuple[str, ...]) -> list[str]:
    known = attempt.verdict != AttemptVerdict.ERROR
    verdicts = {each.id: each.verdict for each in attempt.checks}
    percent = 100 * attempt.score / attempt.max_score if attempt.max_score else None
    return [
        _cell(attempt.id),
        attempt.verdict,
        points(attempt.score) if known else "",
        points(attempt.max_score),
        f"{percent:.1f}" if known and percent is not None else "",
        _cell(attempt.seed),
        attempt.seed_from or "",
        f"{attempt.seconds:.1f}",
        *(verdicts.get(each, "") for each in checks),
        _cell(reason(attempt)),
    ]


def _cell(text: str) -> str:
    line = brief(text, 1000)
    return f"'{line}" if line.startswith(FORMULA) else line
