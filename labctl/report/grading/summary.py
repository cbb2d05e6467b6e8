"""Graded attempts in Markdown, as the summary of a step of GitHub Actions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.grading.verdict import (
    counted,
    excerpt,
    failures_first,
    hint,
    located,
    mark,
    named,
    points,
    reason,
    score,
    shared_notes,
    unmet,
    withheld,
)
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt, GradedCheck

_MOST_BYTES: Final = 1_000_000
_ROOM: Final = 4_000
_MARKUP: Final = re.compile(r"[^\w ]|_")


def summary(result: Grade) -> str:
    """Return graded attempts as Markdown, what did not pass first.

    GitHub drops a step's summary of more than 1 MiB without a word: what would not fit is left out, which
    the end tells. Hidden checks have no names there: whoever reads the workflow's run reads it. What a
    student may have written stands in fences that are longer than any in it, or without a character that
    means something in Markdown.
    """
    attempts = [withheld(each) for each in failures_first(result.attempts)]
    head = f"## {_plain(result.title)}\n\n{counted(result.counts)}, in {result.seconds:.1f} s.\n"
    head += "".join(f"\nNote: {_plain(each)}\n" for each in shared_notes(result))
    failed = [each for each in attempts if each.verdict != AttemptVerdict.PASSED]
    rows = [_row(each) for each in attempts]
    return _joined(head, rows, ["".join(_blocks(each)) for each in failed])


def _joined(head: str, rows: Sequence[str], details: Sequence[str]) -> str:
    """Put the table's rows and as many details together as there is room for."""
    room = _MOST_BYTES - len(head.encode()) - 1000
    shown_rows = _within(rows, room * 3 // 4)
    room -= sum(len(each.encode()) for each in shown_rows)
    shown = _within(details, room)
    parts = [head]
    if rows:
        parts.append("\n| Attempt | Verdict | Score | Why |\n|---|---|---|---|\n")
    parts += [*shown_rows, *shown]
    if left := len(rows) - len(shown_rows):
        parts.append(f"\n{left} more attempts do not fit into a summary.\n")
    if left := len(details) - len(shown):
        parts.append(f"\nWhat failed in {left} more attempts does not fit into a summary.\n")
    return "".join(parts)


def _within(blocks: Sequence[str], room: int) -> list[str]:
    shown = []
    for each in blocks:
        room -= len(each.encode())
        if room < 0:
            break
        shown.append(each)
    return shown


def _row(attempt: GradedAttempt) -> str:
    why = ", ".join(each.id for each in unmet(attempt)) or reason(attempt)
    verdict = f"{mark(attempt.verdict)} {attempt.verdict}"
    return f"| {_code(named(attempt), 100)} | {verdict} | {score(attempt)} | {_code(why, 200)} |\n"


def _blocks(attempt: GradedAttempt) -> Iterator[str]:
    yield f"\n### {mark(attempt.verdict)} {_code(named(attempt), 100)}: {score(attempt)}\n"
    if attempt.rejection is not None:
        rejected = attempt.rejection
        yield _fenced([located(rejected), *rejected.said.splitlines(), f"next: {rejected.hint}"])
    elif attempt.explanation:
        yield _fenced(attempt.explanation.splitlines())
    for check in attempt.checks:
        if check.verdict in {CheckVerdict.FAILED, CheckVerdict.ERROR, CheckVerdict.BLOCKED}:
            yield from _check(check)
    if attempt.remarks:
        yield _fenced([f"note: {each}" for each in attempt.remarks])


def _check(check: GradedCheck) -> Iterator[str]:
    worth = f"{points(check.score)} / {points(check.max_score)}"
    yield f"\n**{mark(check.verdict)} {_plain(check.id)}** ({worth}): {_plain(check.title)}\n"
    told = [*check.explanation.splitlines(), *(f"    {each}" for each in check.evidence)]
    if advice := hint(check):
        told.append(f"hint: {advice}")
    if told:
        yield _fenced(told)


def _fenced(lines: Sequence[str]) -> str:
    """Put lines between fences longer than any run of backticks in them (CommonMark, section 4.5)."""
    text = "\n".join(excerpt(lines, _ROOM))
    longest = max((len(each) for each in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n{fence}text\n{text}\n{fence}\n"


def _plain(text: str) -> str:
    """Write each character that could mean something as its number, which then means nothing.

    Source: CommonMark, section 2.5.
    """
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", brief(text, 300))


def _code(text: str, limit: int) -> str:
    """Return text as code, in which GitHub links no names and addresses."""
    line = brief(text, limit)
    return f"<code>{_plain(line)}</code>" if line else ""
