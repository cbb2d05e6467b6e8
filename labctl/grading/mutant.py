"""Mutants: a lab's solution with one thing wrong, and which checks have to find it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import InvalidLabFile

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.lab.definition import LabDefinition

DIRECTORY: Final = "mutants"
"""Where a lab has its mutants, a directory each."""

FILE_NAME: Final = "mutant.toml"
"""What says of a mutant what is wrong with it; all other files are laid over the solution's."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A solution with one thing wrong.

    Args:
        directory: Where its files are; its name is the mutant's.
        title: What is wrong with it.
        fails: The checks that fail, all of them; what needs these is blocked.
        rejected: Whether it is rejected before any check.
        removes: The solution's files that it lacks.
    """

    directory: Path
    title: str
    fails: frozenset[str] = frozenset()
    rejected: bool = False
    removes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.directory.name


def of_lab(lab: LabDefinition) -> tuple[Mutant, ...]:
    """Read a lab's mutants, in the order of their names.

    Raises:
        InvalidLabFile: What one says is wrong, or it differs in nothing that a student may hand in.
    """
    directory = lab.directory / DIRECTORY
    if not directory.is_dir():
        return ()
    return tuple(_load(each, lab) for each in sorted(directory.iterdir()) if each.is_dir())


def _load(directory: Path, lab: LabDefinition) -> Mutant:
    path = directory / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidLabFile(f"can't be read: {exc}", path=path, line=None, hint=f"write {path}") from exc
    mutant = parse(text, path, lab)
    files = {each.relative_to(directory).as_posix() for each in directory.rglob("*") if not each.is_dir()}
    editable = {each.path for each in lab.editable}
    if strangers := files - editable - {FILE_NAME}:
        message = f"{min(strangers)} is no file that a student may hand in: {', '.join(sorted(editable))}"
        raise InvalidLabFile(message, path=directory, line=None, hint=f"rm {directory / min(strangers)}")
    if not files & editable and not mutant.removes:
        raise InvalidLabFile(
            "is the solution: it has no file that differs", path=directory, line=None, hint="rm -r DIR"
        )
    return mutant


def parse(text: str, path: Path, lab: LabDefinition) -> Mutant:
    """Read what a mutant says of itself.

    Args:
        text: The content of its file.
        path: The file.
        lab: The lab, for the names of its checks and files.

    Raises:
        InvalidLabFile: With the line, where one can be named.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        said = re.search(r"at line (\d+)", str(exc))
        message, line = f"is no TOML: {exc}", int(said[1]) if said else None
        raise InvalidLabFile(message, path=path, line=line, hint="https://toml.io") from exc
    return _Reader(text, path, lab).mutant(table)


class _Reader:
    def __init__(self, text: str, path: Path, lab: LabDefinition) -> None:
        self._lines = text.splitlines()
        self._path = path
        self._lab = lab

    def mutant(self, table: dict[str, Any]) -> Mutant:
        known = ("title", "fails", "rejected", "removes")
        for key in table:
            if key not in known:
                raise self._wrong(key, f"unknown key {key!r}; known: {', '.join(known)}")
        title, rejected = table.get("title"), table.get("rejected", False)
        if not isinstance(title, str) or not title.strip():
            raise self._wrong("title", f"title = {title!r}, expected a text: what is wrong with it")
        if not isinstance(rejected, bool):
            raise self._wrong("rejected", f"rejected = {rejected!r}, expected true")
        fails = self._names(table, "fails", {each.id for each in self._lab.checks})
        if rejected == bool(fails):
            raise self._wrong("fails", "expected either the checks that it fails, or rejected = true")
        removes = self._names(table, "removes", {each.path for each in self._lab.editable})
        return Mutant(self._path.parent, title, frozenset(fails), rejected, removes)

    def _names(self, table: dict[str, Any], key: str, known: set[str]) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(key, f"{key} = {value!r}, expected a list of texts")
        for each in value:
            if each not in known:
                names = ", ".join(sorted(known))
                raise self._wrong(each, f"{key}: lab {self._lab.id!r} has no {each!r}; it has: {names}")
        return tuple(value)

    def _wrong(self, word: str, message: str) -> InvalidLabFile:
        """Point at the first line that has the word."""
        line = next((n for n, text in enumerate(self._lines, start=1) if word in text), None)
        return InvalidLabFile(message, path=self._path, line=line, hint=f"edit {self._path}")
