"""A lab as it is graded: its own checks and a teacher's hidden ones, found and found to be there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl.errors import InvalidLabFile, UsageError, quoted
from labctl.exercises.catalogue import discovery
from labctl.exercises.catalogue.discovery import Choice
from labctl.lab.blueprint import definition
from labctl.lab.blueprint.textfile import wrong_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.exercises.catalogue.discovery import Exercise
    from labctl.lab.blueprint.definition import Check, LabDefinition


HIDDEN_FILE: Final = "checks.toml"
"""In a directory of hidden checks: what they give."""


@dataclass(frozen=True, slots=True)
class GradedLab:
    """A lab with all the checks that an attempt has to pass.

    Args:
        lab: Its definition.
        checks: All checks, the lab's own first, as declared.
        hidden_directory: Where the hidden ones are, if there are any.
        functions: The function of each check, by the check's id.
    """

    lab: LabDefinition
    checks: tuple[Check, ...]
    hidden_directory: Path | None
    functions: Mapping[str, Exercise]

    @property
    def hidden(self) -> frozenset[str]:
        """The ids of the hidden checks."""
        return frozenset(each.id for each in self.checks) - {each.id for each in self.lab.checks}

    @property
    def max_score(self) -> float:
        """The points of all checks."""
        return sum(each.points for each in self.checks)

    @property
    def order(self) -> tuple[str, ...]:
        """The ids of the checks, each after those that it needs, and else as declared."""
        placed: dict[str, None] = {}
        while waiting := [each for each in self.checks if each.id not in placed]:
            first = next(each for each in waiting if placed.keys() >= set(each.needs))
            placed[first.id] = None
        return tuple(placed)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What is to be run: of each file the functions that are declared as checks."""
        by_file: dict[Path, list[Exercise]] = {}
        for each in self.order:
            function = self.functions[each]
            by_file.setdefault(function.path, []).append(function)
        return tuple(Choice(self.lab, path, tuple(of_file), whole=False) for path, of_file in by_file.items())

    def place(self, path: str | Path) -> str:
        """Name a file of the checks by its place below the lab, or below the hidden checks."""
        for directory in filter(None, (self.lab.directory, self.hidden_directory)):
            above = os.path.abspath(directory)  # noqa: PTH100  # links stay as named
            if Path(path).is_relative_to(above):
                return str(Path(path).relative_to(above))
        return str(path)


def load(lab: LabDefinition, hidden: Path | None = None) -> GradedLab:
    """Find the checks of a lab.

    Args:
        lab: Its definition.
        hidden: A directory of hidden checks: ``checks.toml``, and files of functions.

    Raises:
        UsageError: The lab is not graded, or there is no such directory.
        InvalidLabFile: A file of the checks is wrong, or a check is declared and not there.
    """
    if not lab.checks or not lab.editable:
        raise UsageError(f"lab {lab.id!r} is not one to be graded", hint="labctl labs")
    functions = _functions(lab.directory / discovery.CHECKS)
    _are_there(lab.checks, functions, lab.directory / definition.FILE_NAME)
    if hidden is None:
        return GradedLab(lab, lab.checks, None, functions)
    if not hidden.is_dir():
        raise UsageError(f"no hidden checks in {hidden}: not a directory", hint="--checks DIR")
    further = definition.load_checks(hidden / HIDDEN_FILE, lab.checks)
    hidden_functions = _functions(hidden.resolve())
    _are_there(further, hidden_functions, hidden / HIDDEN_FILE)
    ours = {each.id: hidden_functions[each.id] for each in further}
    return GradedLab(lab, (*lab.checks, *further), hidden.resolve(), {**functions, **ours})


def _functions(directory: Path) -> dict[str, Exercise]:
    return {each.id: each for path in sorted(directory.glob("test_*.py")) for each in discovery.in_file(path)}


def _are_there(checks: tuple[Check, ...], functions: Mapping[str, Exercise], path: Path) -> None:
    """Refuse checks that can't be run or tell a student nothing, before anything is started for them."""
    for each in checks:
        name = f"test_{each.id.replace('-', '_')}"
        if (function := functions.get(each.id)) is None:
            message = f"check {quoted(each.id)} has no function {name} in {discovery.CHECKS}/"
            raise wrong_at(path, message, each.id, "checks")
        function.must_run()
        if not function.documented:
            raise InvalidLabFile(
                f"{name} has no docstring: its first line tells students what is checked",
                path=function.path,
                line=function.line,
                hint=f"edit {function.path}",
            )
