"""Graded attempts as the workflow commands that GitHub Actions shows beside the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.report.grading.verdict import excerpt, failures_first, named, unmet, withheld
from labctl.report.layout.plain import harmless
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt

_MOST: Final = 10
_ROOM: Final = 2_000


def annotated(result: Grade, directories: Mapping[str, str] | None = None) -> str:
    """Return a line for each failure, to be printed in a step of GitHub Actions; empty where there is none.

    A step shows ten of them; where there are more, the last line says how many. Hidden checks have no names
    there: whoever reads the workflow's run reads them.

    Args:
        result: The attempts.
        directories: Where an attempt lies in the repository, by its id: so that a file is found.
    """
    places = directories or {}
    found = [
        line
        for each in failures_first(result.attempts)
        for line in _attempt(withheld(each), places.get(each.id, ""))
    ]
    if len(found) > _MOST:
        left = len(found) - (_MOST - 1)
        found[_MOST - 1 :] = [_command(f"{left} more failures are in the report", title=result.lab)]
    return "".join(f"{line}\n" for line in found)


def unheard(text: str, token: str) -> str:
    """Return text between the commands that keep GitHub's runner from obeying what is in it.

    The text is that of the argument, but harmless to a terminal. Without this the runner would obey a line
    that begins with ``::…::``, and one that has ``##[…]`` anywhere.

    Args:
        text: Whatever a student may have written.
        token: What ends it: made by chance, so that nobody can have written it.
    """
    return f"::stop-commands::{token}\n{harmless(text)}\n::{token}::\n"


def _attempt(attempt: GradedAttempt, directory: str) -> Iterator[str]:
    rejected = attempt.rejection
    if rejected is not None:
        said = "\n".join([rejected.text, *excerpt(rejected.said.splitlines(), _ROOM)])
        file = f"{directory}/{rejected.file}" if directory and rejected.file else rejected.file
        yield _command(said, title=named(attempt), file=file, line=rejected.line)
    elif attempt.explanation:
        yield _command(attempt.explanation, title=named(attempt))
    for check in unmet(attempt):
        told = [check.title, *check.explanation.splitlines()]
        yield _command("\n".join(excerpt(told, _ROOM)), title=f"{named(attempt)}: {check.id}")


def _command(message: str, *, title: str, file: str | None = None, line: int | None = None) -> str:
    """Write one command as the runner reads it (``ActionCommand.cs`` in github.com/actions/runner)."""
    facts = {"file": file, "line": None if file is None or line is None else str(line), "title": title}
    shown = {key: brief(value, 300) for key, value in facts.items() if value}
    given = ",".join(f"{key}={_property(value)}" for key, value in shown.items() if value)
    return f"::error {given}::{_data(message)}"


def _data(text: str) -> str:
    return harmless(text[:_ROOM]).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
