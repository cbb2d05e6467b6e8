"""The fixture ``attempt``: the files that a student has handed in, as data."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Self

from labctl.errors import AttemptError, GradingError
from labctl.exercises import discovery
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.lab import attempt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.exercises.narration import Narrator


class HandedIn:
    """What was handed in.

    Args:
        files: The contents, by the attempt's own paths.
        narrator: Told what is read.
    """

    def __init__(self, files: Mapping[str, bytes], narrator: Narrator) -> None:
        self.files = files
        self._narrator = narrator

    @classmethod
    def read(cls, directory: Path, check: Path, narrator: Narrator) -> Self:
        """Read a directory, as far as the lab of a check lets its files be handed in.

        Raises:
            GradingError: No lab is around the check.
            ExpectationFailed: A file is missing, or none that can be taken.
            UsageError: There is no such directory.
        """
        lab = discovery.lab_around(check)
        if lab is None:
            raise GradingError(f"{check} lies in no lab", hint="put it into the lab's directory checks/")
        try:
            return cls(attempt.read(directory, lab).files, narrator)
        except AttemptError as error:
            raise ExpectationFailed("every file that the lab asks for", error.message) from error

    def text(self, path: str) -> str:
        """Return a file's text.

        Args:
            path: Where it lies in an attempt, as the lab's ``[[editable]]`` has it.

        Raises:
            ExpectationFailed: It is not in UTF-8.
            GradingError: No such file is asked for.
        """
        with self._narrator.step(f"Read {path}"):
            return self._text(path)

    def toml(self, path: str) -> dict[str, Any]:
        """Return what a file in TOML says.

        Raises:
            ExpectationFailed: It is no TOML.
            GradingError: No such file is asked for.
        """
        with self._narrator.step(f"Read {path}, which is TOML (toml.io)") as evidence:
            text = self._text(path)
            try:
                return tomllib.loads(text)
            except (ValueError, RecursionError) as error:  # what is too deep, too
                lines = text.splitlines()
                number = _line_in(str(error), len(lines))
                evidence.extend(f"{path}:{number}: {line}" for line in lines[number - 1 : number])
                raise ExpectationFailed(f"{path} is TOML", f"{path}:{number}: {error}") from error

    def _text(self, path: str) -> str:
        if path not in self.files:
            listed = ", ".join(sorted(self.files)) or "nothing"
            raise GradingError(
                f"the lab asks for no {path}: handed in are {listed}",
                hint="declare it in lab.toml, as [[editable]]",
            )
        content = self.files[path]
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            number = content.count(b"\n", 0, error.start) + 1
            raise ExpectationFailed(
                f"{path} is a text in UTF-8", f"{path}:{number}: byte {content[error.start]:#04x}"
            ) from error


def _line_in(said: str, last: int) -> int:
    """Read from what tomllib says which line it means."""
    found = re.search(r"at line (\d+)", said)
    return int(found[1]) if found else max(last, 1)
