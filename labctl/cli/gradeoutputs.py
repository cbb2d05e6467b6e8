"""The files that a grading is written to, beside what it prints."""

from __future__ import annotations

import inspect
import secrets
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from hashlib import sha256
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints
from urllib.parse import quote

import typer

from labctl.cli.console import print_result, width, write, write_file, write_line
from labctl.cli.outputs import check_directory, check_outputs
from labctl.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt

_LONGEST_NAME: Final = 200
_OUT: Final = ("grade.json", "grades.csv", "index.html")
"""What is written to the directory of ``--out``."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that a user asks for, by their options; None where one is not asked for."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Keep what was seen, and grade.json, grades.csv and index.html; another run goes on from "
            "there.",
            file_okay=False,
        ),
    ] = None
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a report in JUnit's format.")
    ] = None
    gradescope: Annotated[
        Path | None,
        typer.Option(
            "--gradescope",
            metavar="FILE",
            help="Write results.json for Gradescope; of several attempts a directory with a file each.",
        ),
    ] = None
    classroom50: Annotated[
        Path | None,
        typer.Option(
            "--classroom50",
            metavar="FILE",
            help="Write a result for Classroom 50; of several attempts a directory with a file each.",
        ),
    ] = None
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary", metavar="FILE", help="Add a summary in Markdown, as to $GITHUB_STEP_SUMMARY."
        ),
    ] = None
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page that needs nothing else.")
    ] = None
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a table with a row for each attempt."),
    ] = None

    def check(
        self,
        attempts: Iterable[str],
        *,
        several: bool,
        as_json: bool,
        inputs: Iterable[Path],
        environ: Mapping[str, str],
    ) -> bool:
        """Refuse what can't be written, before anything is graded where that can be.

        Args:
            attempts: Their ids.
            several: Whether there are several attempts, of which some formats take one a file.
            as_json: Whether the result is to be a document on standard output.
            inputs: The files that are read.
            environ: The environment: in a job of GitHub's, a report on standard output could command it.

        Returns:
            Whether standard output is free for the result.

        Raises:
            OutputError: One can't be written; a directory that was made for another is taken away again.
            UsageError: The environment lacks what Classroom 50 wants to know.
        """
        from labctl.report.grading.classroom50 import identity

        with ExitStack() as unmade:
            files = self._files(attempts, unmade, several=several)
            free = check_outputs(files, as_json=as_json, inputs=inputs, added=frozenset({"--summary"}))
            if self.classroom50 is not None:
                identity(environ, datetime.now(UTC))
            if not free and environ.get("GITHUB_ACTIONS") == "true":
                raise OutputError(
                    "a report is not written to standard output in a job of GitHub's, which takes lines"
                    " there for commands",
                    hint="name a file",
                )
            unmade.pop_all()
        return free

    def _files(self, attempts: Iterable[str], unmade: ExitStack, *, several: bool) -> dict[str, Path | None]:
        """Return the files by what names them; the stack takes away directories that are made for them."""
        files = {
            "--junit": self.junit,
            "--summary": self.summary,
            "--html": self.html,
            "--csv": self.csv,
        }
        for option, path in (("--gradescope", self.gradescope), ("--classroom50", self.classroom50)):
            if path is not None and several:
                check_directory(option, path, unmade)
                files |= {f"{option} {each}": _file_of(path, each) for each in attempts}
            else:
                files[option] = path
        if self.out is not None:
            from labctl.grading.store import DIRECTORY

            for each in (self.out, self.out / DIRECTORY):
                check_directory("--out", each, unmade)
            files |= {f"--out {each}": self.out / each for each in _OUT}
        return files

    def write(self, result: Grade, environ: Mapping[str, str]) -> None:
        """Write them.

        Raises:
            OutputError: One can't be written.
            UsageError: The environment lacks what Classroom 50 wants to know.
        """
        from labctl.grading.verdict import AttemptVerdict
        from labctl.report.document import document, dumped
        from labctl.report.grading.classroom50 import classroom50, identity
        from labctl.report.grading.gradescope import gradescope
        from labctl.report.grading.junit import junit
        from labctl.report.grading.page import page
        from labctl.report.grading.roster import roster
        from labctl.report.grading.summary import summary

        # All are made before the first is written: what can go wrong with one leaves no part of them.
        files: list[tuple[Path, str]] = []
        if self.out is not None:
            pages = (f"{dumped(document(result))}\n", roster(result), page(result))
            files += ((self.out / name, text) for name, text in zip(_OUT, pages, strict=True))
        for path, writer in ((self.junit, junit), (self.html, page), (self.csv, roster)):
            if path is not None:
                files.append((path, writer(result)))
        if self.gradescope is not None:
            files += _each(self.gradescope, result, lambda each: gradescope(each, result.title))
        if self.classroom50 is not None:
            whose = identity(environ, datetime.now(UTC))
            known = tuple(each for each in result.attempts if each.verdict != AttemptVerdict.ERROR)
            scored = replace(result, attempts=known)
            files += _each(self.classroom50, scored, lambda each: classroom50(each, whose))
        added = summary(result) if self.summary is not None else ""
        for path, text in files:
            write_file(path, text)
        if self.summary is not None:
            write_file(self.summary, added, append=True)


def with_outputs(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Outputs` in the place of its parameter ``outputs``."""
    options = get_type_hints(Outputs, include_extras=True)
    own = inspect.signature(command, eval_str=True)
    parameters: list[Parameter] = []
    for each in own.parameters.values():
        if each.name != "outputs":
            parameters.append(each)
            continue
        for name, kind in options.items():
            parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind))

    @wraps(command)
    def whole(**given: Any) -> None:
        outputs = Outputs(**{name: given.pop(name) for name in options})
        command(**given, outputs=outputs)

    vars(whole)["__signature__"] = own.replace(parameters=parameters)
    whole.__annotations__ = {each.name: each.annotation for each in parameters}
    return whole


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
    from labctl.report.grading.annotations import annotated, unheard
    from labctl.report.text import text

    if as_json:  # none of its lines can be a command
        print_result(result, as_json=True)
    else:
        write_line(unheard(text(result, width()), secrets.token_hex(16)))
    write(sys.stderr, annotated(result, places))


def _each(path: Path, result: Grade, writer: Callable[[GradedAttempt], str]) -> Iterator[tuple[Path, str]]:
    """Yield a file for each attempt: in a directory, or the path itself where there is only one."""
    if not path.is_dir() and result.attempts:
        yield path, writer(result.attempts[0])
        return
    for each in result.attempts:
        yield _file_of(path, each.id), writer(each)


def _file_of(directory: Path, attempt: str) -> Path:
    """Return an attempt's file, of a name that no other attempt has, and that every file system takes."""
    name = quote(attempt, safe=" ", errors="backslashreplace")  # a directory's name may be no text
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{sha256(name.encode()).hexdigest()[:16]}"
    return directory / f"{name}.json"
