"""How reports on attempts write verdicts, points and reasons: the same in every format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.grading.seedfrom import OWN_WORD, UNLISTED, SeedFrom
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.layout.plain import harmless
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from labctl.commands.grade import Grade
    from labctl.grading.job import Rejection
    from labctl.grading.score import GradedAttempt, GradedCheck

_MARKS: Final = {
    CheckVerdict.PASSED: "✓",
    CheckVerdict.FAILED: "✗",
    CheckVerdict.BLOCKED: "·",
    CheckVerdict.SKIPPED: "-",
    CheckVerdict.ERROR: "!",
    AttemptVerdict.REJECTED: "✗",
}
_ROOMS: Final = (20_000, 4_000, 800, 160, 0)


def mark(verdict: CheckVerdict | AttemptVerdict) -> str:
    """Return the sign of a verdict; none is told by its colour alone."""
    return _MARKS[verdict]


def points(value: float) -> str:
    """Write points without a fraction that says nothing: 3, 2.5, 0.33."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def score(attempt: GradedAttempt) -> str:
    """Write an attempt's points; where something broke there are none, which is no zero."""
    if attempt.verdict == AttemptVerdict.ERROR:
        return "no score"
    return f"{points(attempt.score)} of {points(attempt.max_score)}"


def counted(counts: Mapping[AttemptVerdict, int]) -> str:
    """Say how many attempts ended how: 3 passed, 1 failed, 2 errors."""
    said = [
        f"{count} {verdict}{'s' if verdict == AttemptVerdict.ERROR and count > 1 else ''}"
        for verdict in AttemptVerdict
        if (count := counts.get(verdict, 0))
    ]
    return ", ".join(said) or "No attempts"


def unmet(attempt: GradedAttempt) -> tuple[GradedCheck, ...]:
    """Return the checks that failed or broke; those that wait for them are not among them."""
    return tuple(each for each in attempt.checks if each.verdict in {CheckVerdict.FAILED, CheckVerdict.ERROR})


def reason(attempt: GradedAttempt) -> str:
    """Say in one line why an attempt did not pass; empty where it did."""
    if attempt.explanation:
        return first_line(attempt.explanation)
    first = next(iter(unmet(attempt)), None)
    return "" if first is None else f"{first.id}: {first_line(first.explanation)}"


def located(rejection: Rejection) -> str:
    """Say why an attempt can't be used, behind the file and its line where they are known."""
    line = "" if rejection.line is None else f":{rejection.line}"
    return f"{brief(rejection.file, 300)}{line}: {rejection.text}" if rejection.file else rejection.text


def seeded(attempt: GradedAttempt) -> str:
    """Tell an attempt's seed, and whether the teacher's roster has it."""
    roster = ", the roster's" if attempt.seed_from == SeedFrom.ROSTER else ""
    return f"seed {brief(attempt.seed, 80)}{roster}"


def shared_notes(result: Grade) -> list[str]:
    """Return what is to be known of the seeds of several attempts, a line each."""
    told = []
    for remark in (OWN_WORD, UNLISTED):
        about = [named(each) for each in result.attempts if remark in each.remarks]
        if about:
            told.append(f"{remark}: {brief(', '.join(about), 300)}")
    return told


def hint(check: GradedCheck) -> str:
    """Return the hint of a check to mend; one that waits for others is not it."""
    return "" if check.verdict == CheckVerdict.BLOCKED else brief(check.hint, 500)


def first_line(text: str) -> str:
    """Return the first line of a text in which there is something to read."""
    return next((line for line in text.splitlines() if line.strip()), "")


def named(attempt: GradedAttempt) -> str:
    """Return an attempt's id as something to read, also where it is all blanks."""
    return brief(attempt.id, 100) or repr(attempt.id)


def failures_first(attempts: Iterable[GradedAttempt]) -> list[GradedAttempt]:
    """Order attempts so that what did not pass is read first, each kind by id."""
    return sorted(attempts, key=lambda each: (each.verdict == AttemptVerdict.PASSED, each.id))


def withheld(attempt: GradedAttempt) -> GradedAttempt:
    """Return an attempt as its student may see it: of a hidden check only that it is there, and its points.

    The hosts' logs are withheld with it: they tell what a hidden check did.
    """
    if not any(each.hidden for each in attempt.checks):
        return attempt
    shown: list[GradedCheck] = []
    for each in attempt.checks:
        n = 1 + sum(one.hidden for one in shown)
        nameless = replace(
            each,
            id=f"hidden-{n}",
            title=f"Hidden check {n}.",
            explanation="",
            hint="",
            evidence=(),
            path=None,
            line=None,
        )
        shown.append(nameless if each.hidden else each)
    return replace(attempt, checks=tuple(shown), logs={})


def excerpt(lines: Sequence[str], room: int) -> list[str]:
    """Return lines that a stranger may have written, each harmless, in about `room` characters.

    What is cut is told.
    """
    shown = []
    for n, line in enumerate(lines):
        if room <= 0:
            shown.append(f"[… {len(lines) - n} more lines]")
            break
        part = harmless(line[:room]).replace("\n", "\\n")
        if len(line) > room or len(part) > room:
            part = f"{part[:room]} [… {len(line):,} characters in all]"
        shown.append(part)
        room -= len(part) + 1
    return shown


def fitting(write: Callable[[int], str], result: Grade, limit: int) -> str:
    """Write a report that is no longer than `limit` bytes of UTF-8, with as much evidence as that lets.

    Args:
        write: Writes the report with so many characters of evidence for each check.
        result: What it is written of.
        limit: Of the report's readers.
    """
    sizes = [sum(map(len, lines)) for each in result.attempts for lines in _evidence(each)]
    text = ""
    for room in _ROOMS:
        if room and sum(min(each, room) for each in sizes) > limit:
            continue  # a character is a byte at least: there is no need to try
        text = write(room)
        if len(text.encode()) <= limit:
            break
    return text


def _evidence(attempt: GradedAttempt) -> Iterator[Sequence[str]]:
    yield from (each.evidence for each in attempt.checks)
    yield from attempt.logs.values()
