"""Graded attempts as one page: an overview, and each check with its evidence. It holds no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.report.grading.verdict import (
    counted,
    excerpt,
    fitting,
    hint,
    mark,
    named,
    points,
    reason,
    score,
    seeded,
    shared_notes,
    unmet,
)
from labctl.report.layout.webpage import safe, web_page
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt, GradedCheck

_MOST_BYTES: Final = 25_000_000


def page(result: Grade) -> str:
    """Return graded attempts as one HTML document that needs nothing beside itself.

    It is for the teacher: hidden checks and the hosts' logs are in it. Where it would be longer than 25 MB,
    evidence is cut, which is told.
    """
    return fitting(lambda room: _document(result, room), result, _MOST_BYTES)


def _document(result: Grade, room: int) -> str:
    title = brief(result.title, 200)
    alone = len(result.attempts) <= 1
    total = f"{counted(result.counts)}, in {result.seconds:.1f} s."
    body = "".join(
        (
            f'<h1 id="top">{safe(title)}</h1><p class="soft">{safe(total)}</p>',
            "" if alone else _overview(result.attempts),
            *(f'<p class="note">{safe(each)}</p>' for each in ([] if alone else shared_notes(result))),
            *(
                f'<article id="a{n}">{"".join(_parts(each, room, alone=alone))}</article>'
                for n, each in enumerate(result.attempts)
            ),
        )
    )
    return web_page(f"Grades: {title}", body, "grade.css")


def _overview(attempts: Sequence[GradedAttempt]) -> str:
    rows = "".join(
        f'<tr><td><a href="#a{n}">{safe(named(each))}</a></td>'
        f'<td class="{each.verdict}">{mark(each.verdict)} {each.verdict}</td><td>{score(each)}</td>'
        f"<td>{safe(brief(', '.join(check.id for check in unmet(each)), 300))}</td>"
        f"<td>{safe(brief(reason(each), 200))}</td></tr>"
        for n, each in enumerate(attempts)
    )
    head = "<tr><th>Attempt</th><th>Verdict</th><th>Score</th><th>Failed</th><th>Why</th></tr>"
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _parts(attempt: GradedAttempt, room: int, *, alone: bool) -> Iterator[str]:
    yield (
        f'<h2><span class="{attempt.verdict}">{mark(attempt.verdict)} {attempt.verdict}</span>'
        f" {safe(named(attempt))}: {score(attempt)}</h2>"
    )
    seen = ", examined before" if attempt.cached else ""
    about = f"{seeded(attempt)}, {attempt.seconds:.1f} s{seen}"
    back = "" if alone else '; <a href="#top">all attempts</a>'
    yield f'<p class="id">{safe(about)}{back}</p>'
    if attempt.rejection is not None:
        rejected = attempt.rejection
        line = "" if rejected.line is None else f":{rejected.line}"
        where = f"<code>{safe(brief(rejected.file, 300))}{line}</code>: " if rejected.file else ""
        yield f'<p class="reason">{where}{safe(brief(rejected.text, 1000))}</p>'
        yield _lines(rejected.said.splitlines(), room, "the daemon's words")
        yield f'<p class="hint">Next: {safe(brief(rejected.hint, 500))}</p>'
    elif attempt.explanation:
        yield _lines(attempt.explanation.splitlines(), max(room, 200), "what broke")
    yield from (f'<p class="note">{safe(brief(each, 500))}</p>' for each in attempt.remarks)
    yield from (_check(each, room, alone=alone) for each in attempt.checks)
    for service, lines in attempt.logs.items():
        head = f"<summary>The last lines of {safe(brief(service, 60))}</summary>"
        yield f"<details class=report>{head}{_lines(lines, room, 'log lines')}</details>"


def _check(check: GradedCheck, room: int, *, alone: bool) -> str:
    worth = f"{points(check.score)} / {points(check.max_score)}"
    notes = [
        *(["hidden"] if check.hidden else []),
        *([f"try {check.tries}"] if check.tries > 1 else []),
    ]
    note = f' <span class="soft">({", ".join(notes)})</span>' if notes else ""
    row = (
        f'<span class="{check.verdict}">{mark(check.verdict)} {check.verdict}</span>'
        f'<span class="since">{worth}</span><b>{safe(brief(check.id, 60))}</b>'
        f'<span class="said">{safe(brief(check.title, 300))}{note}</span>'
    )
    inside = "".join(_inside(check, room))
    if not inside:
        return f'<div class="row">{row}</div>'
    is_open = " open" if alone else ""
    return f"<details{is_open}><summary>{row}</summary>{inside}</details>"


def _inside(check: GradedCheck, room: int) -> Iterator[str]:
    yield _lines(check.explanation.splitlines(), max(room, 200), "explanation")
    yield _lines(check.evidence, room, "evidence")
    if told := hint(check):
        yield f'<p class="hint">Hint: {safe(told)}</p>'


def _lines(lines: Sequence[str], room: int, label: str) -> str:
    if not lines:
        return ""
    return f'<pre tabindex="0" aria-label="{label}">{safe(chr(10).join(excerpt(lines, room)))}</pre>'
