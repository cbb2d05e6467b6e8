"""The fixture ``attempt``: the files that a student has handed in, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from labctl.errors import AttemptError, GradingError
from labctl.exercises.catalogue import discovery
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.lab.attempt import attempt
from labctl.lab.blueprint import boundedtoml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.exercises.result.narration import Narrator

_SHOWN: Final = 200
"""Characters of a student's line that are shown."""


@dataclass(frozen=True, slots=True, repr=False)
class HandedIn:
    """What was handed in.

    Args:
        files: The contents, by the attempt's own paths.
        narrator: Told what is read.
        check: The id of the check that reads them.
        told: The check that told what is wrong with a file, by the file's path: the others only point to it.
    """

    files: Mapping[str, bytes]
    _narrator: Narrator
    _check: str = ""
    _told: dict[str, str] = field(default_factory=dict)

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
        """Return what a file in TOML says, within the bounds of `boundedtoml`.

        Raises:
            ExpectationFailed: It is no TOML.
            GradingError: No such file is asked for.
        """
        with self._narrator.step(f"Read {path}, which is TOML (toml.io)") as evidence:
            text = self._text(path)
            try:
                return boundedtoml.parse(self.files[path])
            except boundedtoml.NoToml as error:
                if self._told.get(path, self._check) == self._check:
                    lines = text.splitlines()[error.line - 1 : error.line]
                    evidence.extend(f"{path}:{error.line}: {each[:_SHOWN]}" for each in lines)
                raise self._unusable(path, f"{path} is TOML", error.line, str(error)) from error

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
            seen = f"byte {content[error.start]:#04x}"
            raise self._unusable(path, f"{path} is a text in UTF-8", number, seen) from error

    def _unusable(self, path: str, expected: str, line: int, fault: str) -> ExpectationFailed:
        """Return the failure of a check that can't use a file; only the first one tells why."""
        first = self._told.setdefault(path, self._check)
        seen = f"{path}:{line}: {fault}" if first == self._check else f"it is not, as {first} tells"
        return ExpectationFailed(expected, seen)
