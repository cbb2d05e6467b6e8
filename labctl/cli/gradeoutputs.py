"""The files that a grading is written to, beside what it prints."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from labctl.cli.console import print_result, write, write_file, write_line
from labctl.grading.verdict import AttemptVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt

_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that a user asks for; None where one is not asked for.

    Args:
        out: A directory for the document, the table and the page, with all that was seen.
        junit: For JUnit's format.
        gradescope: For Gradescope's ``results.json``; a directory where there are several attempts.
        classroom50: For Classroom 50's result; likewise.
        summary: For Markdown, which is added to what is there.
        html: For the page.
        csv: For the table.
    """

    out: Path | None = None
    junit: Path | None = None
    gradescope: Path | None = None
    classroom50: Path | None = None
    summary: Path | None = None
    html: Path | None = None
    csv: Path | None = None

    def check(self, *, several: bool) -> None:
        """Refuse what can't be written before anything is graded.

        Args:
            several: Whether there are several attempts, of which some formats take one a file.

        Raises:
            UsageError: One can't.
        """
        for option, path in (
            ("junit", self.junit),
            ("summary", self.summary),
            ("html", self.html),
            ("csv", self.csv),
        ):
            if path is not None:
                _check_file(f"--{option} {path}", path)
        for option, path in (("gradescope", self.gradescope), ("classroom50", self.classroom50)):
            if path is not None and several:
                _check_directory(f"--{option} {path}", path)
            elif path is not None:
                _check_file(f"--{option} {path}", path)
        if self.out is not None:
            _check_directory(f"--out {self.out}", self.out)

    def write(self, result: Grade, environ: Mapping[str, str]) -> None:
        """Write them.

        Raises:
            OutputError: One can't be written.
            UsageError: The environment lacks what Classroom 50 wants to know.
        """
        from labctl.report.document import document, dumped
        from labctl.report.gradejunit import junit
        from labctl.report.gradepage import page
        from labctl.report.gradescope import gradescope
        from labctl.report.gradesummary import summary
        from labctl.report.roster import roster

        if self.out is not None:
            write_file(self.out / "grade.json", f"{dumped(document(result))}\n")
            write_file(self.out / "grades.csv", roster(result))
            write_file(self.out / "index.html", page(result))
        for path, writer in ((self.junit, junit), (self.html, page), (self.csv, roster)):
            if path is not None:
                write_file(path, writer(result))
        if self.summary is not None:
            write_file(self.summary, summary(result), append=True)
        if self.gradescope is not None:
            _write_each(self.gradescope, result, lambda each: gradescope(each, result.title))
        if self.classroom50 is not None:
            self._write_classroom50(result, environ)

    def _write_classroom50(self, result: Grade, environ: Mapping[str, str]) -> None:
        from labctl.report.classroom50 import classroom50, identity

        assert self.classroom50 is not None
        whose = identity(environ, datetime.now(UTC))
        known = tuple(each for each in result.attempts if each.verdict != AttemptVerdict.ERROR)
        _write_each(self.classroom50, replace(result, attempts=known), lambda each: classroom50(each, whose))


def print_grade(
    result: Grade, *, as_json: bool, environ: Mapping[str, str], places: Mapping[str, str]
) -> None:
    """Print graded attempts; in a job of GitHub's with annotations, and so that nothing in them is a command.

    Args:
        result: The attempts.
        as_json: Whether it is to be a document.
        environ: The environment.
        places: Where an attempt lies in the repository, by its id.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        print_result(result, as_json=as_json)
        return
    from labctl.report.annotations import annotated, unheard
    from labctl.report.text import text

    if as_json:  # none of its lines can be a command
        print_result(result, as_json=True)
    else:
        write_line(unheard(text(result), secrets.token_hex(16)))
    write(sys.stderr, annotated(result, places))


def _write_each(path: Path, result: Grade, writer: Callable[[GradedAttempt], str]) -> None:
    """Write a file for each attempt: in a directory, or the path itself where there is only one."""
    if not path.is_dir() and result.attempts:
        write_file(path, writer(result.attempts[0]))
        return
    for each in result.attempts:
        write_file(path / f"{_file_name(each.id)}.json", writer(each))


def _file_name(attempt: str) -> str:
    """Return a name that no other attempt has, and that every file system takes."""
    name = quote(attempt, safe=" ")
    return (
        name
        if len(name) <= _LONGEST_NAME
        else f"{name[:_LONGEST_NAME]}-{sha256(name.encode()).hexdigest()[:16]}"
    )


def _check_file(what: str, path: Path) -> None:
    from labctl.errors import UsageError

    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{what}: can't be written", hint=f"ls -ld {path.parent}")


def _check_directory(what: str, path: Path) -> None:
    from labctl.errors import UsageError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"{what}: can't be made: {exc.strerror}", hint=f"ls -ld {path.parent}") from exc
    if not os.access(path, os.W_OK):
        raise UsageError(f"{what}: can't be written", hint=f"ls -ld {path}")
