"""labctl's command line without an engine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pytest

from labctl.__main__ import run as run_here
from tests import documents
from tests.bed.bed import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.bed.bed import Bed

NO_ENGINE = "unix:///nonexistent/docker.sock"


@dataclass(frozen=True)
class Ran:
    """What one run of labctl came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, which has to be one JSON document and nothing else."""
        said: dict[str, Any] = json.loads(self.stdout)
        return said


class Labctl:
    """Runs labctl in an environment of its own: an engine is ordered that is not there.

    It is called in this process, which is all the program does but for its exit; `program` starts one.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "DOCKER_HOST": NO_ENGINE,
            "TERM": "dumb",
            "LANG": "C.UTF-8",
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
        }

    def __call__(
        self, *arguments: str, environ: Mapping[str, str] | None = None, stdin: str | bytes = ""
    ) -> Ran:
        """Run one command in this process."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        stdout, stderr = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.chdir(self.home):
            for name in tuple(os.environ):
                patch.delenv(name)
            for name, value in {**self.environ, **(environ or {})}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                try:
                    code = run_here(list(arguments))
                except SystemExit as end:
                    code = int(end.code or 0)
        documents.check(arguments, stdout.getvalue())
        return Ran(code, stdout.getvalue(), stderr.getvalue())

    def program(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        script: str = "",
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
    ) -> Ran:
        """Run one command as a program of its own.

        Args:
            arguments: What it is given.
            environ: Variables that differ.
            script: A line for a shell in which ``"$@"`` stands for the program, as to close its streams.
            stdout: Where its output goes instead of being read.
            stderr: The same of its error output.
        """
        done = subprocess.run(
            [
                *(["/bin/sh", "-c", script, "sh"] if script else []),
                sys.executable,
                "-m",
                "labctl",
                *arguments,
            ],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            env={**self.environ, **(environ or {})},
            cwd=self.home,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout or "", done.stderr or "")

    def completed(self, line: str, **environ: str) -> list[str]:
        """Ask for completions of a command line as bash does: its last word is to be completed."""
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        ran = self(environ={**words, "_LABCTL_COMPLETE": "complete_bash", **environ})
        assert (ran.code, ran.stderr) == (0, "")
        return ran.stdout.split()


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """An engine in memory for all tests of a file."""
    with made(tmp_path_factory.mktemp("e")) as bed:
        yield bed


@pytest.fixture
def labctl(tmp_path: Path) -> Labctl:
    """Return labctl, to be called like the program."""
    return Labctl(tmp_path)


@pytest.fixture
def make_lab() -> Callable[[Path, str], Path]:
    """Return a function that writes a lab's directory with the lines of its ``lab.toml``."""

    def make(directory: Path, lines: str) -> Path:
        directory.mkdir(parents=True)
        (directory / "lab.toml").write_text(lines, encoding="utf-8")
        return directory

    return make


@pytest.fixture
def fails(
    valid_document: Callable[[Mapping[str, Any]], None], labctl: Labctl
) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a command that has to fail, with and without ``--json``.

    It checks what holds for every failure, and returns the error's document.
    """

    def run(code: int, *arguments: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        as_text = labctl(*arguments, environ=environ)
        own, dashes, command = " ".join(arguments).partition(" -- ")
        as_json = labctl(*own.split(), "--json", *dashes.split(), *command.split(), environ=environ)
        assert (as_text.code, as_json.code) == (code, code)
        document = as_json.document
        valid_document(document)
        assert document["schema"] == "labctl/error/v1"
        assert as_json.stderr == ""
        assert as_text.stdout == ""
        first = document["message"].splitlines()[0]
        assert as_text.stderr.startswith(f"labctl: {first}\n")
        assert as_text.stderr.endswith(f"\n  next: {document['hint']}\n")
        return document

    return run
