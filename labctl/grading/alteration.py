"""Alterations of a lab's solution: mutants, each with one thing wrong, and variants, which are right too."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import InvalidLabFile, quoted
from labctl.lab.blueprint.textfile import line_of, table_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.lab.blueprint.definition import LabDefinition


class Kind(StrEnum):
    """What an alteration of the solution is."""

    VARIANT = "variant"
    """Another right solution: it has to get all points."""
    MUTANT = "mutant"
    """A solution with one thing wrong: the checks that it names have to find it."""

    @property
    def directory(self) -> str:
        """Where a lab has these, a directory each."""
        return f"{self}s"

    @property
    def file_name(self) -> str:
        """The file that says of one what it is; all others are laid over the solution's."""
        return f"{self}.toml"

    @property
    def keys(self) -> tuple[str, ...]:
        """What that file may say."""
        return ("title", "removes", *(("fails", "rejected") if self == Kind.MUTANT else ()))


DIRECTORIES: Final = frozenset(each.directory for each in Kind)


@dataclass(frozen=True, slots=True)
class Alteration:
    """The solution with other files.

    Args:
        kind: Whether it is right or wrong.
        directory: Where its files are; its name is the alteration's.
        title: What is wrong with a mutant, or done otherwise in a variant.
        fails: The checks that a mutant fails, all of them; what needs these is blocked.
        rejected: Whether a mutant is rejected before any check.
        removes: The solution's files that it lacks.
    """

    kind: Kind
    directory: Path
    title: str
    fails: frozenset[str] = frozenset()
    rejected: bool = False
    removes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.directory.name


def of_lab(lab: LabDefinition) -> tuple[Alteration, ...]:
    """Read a lab's variants and then its mutants, each in the order of their names.

    Raises:
        InvalidLabFile: What one says is wrong, or it differs in nothing that a student may hand in.
    """
    return tuple(
        _load(kind, each, lab)
        for kind in Kind
        if (directory := lab.directory / kind.directory).is_dir()
        for each in sorted(directory.iterdir())
        if each.is_dir()
    )


def _load(kind: Kind, directory: Path, lab: LabDefinition) -> Alteration:
    path = directory / kind.file_name
    alteration = parse(kind, text_of(path, hint=f"write {path}"), path, lab)
    files = {each.relative_to(directory).as_posix() for each in directory.rglob("*") if not each.is_dir()}
    editable = {each.path for each in lab.editable}
    if strangers := files - editable - {kind.file_name}:
        message = f"{min(strangers)} is no file that a student may hand in: {', '.join(sorted(editable))}"
        raise InvalidLabFile(message, path=directory, line=None, hint=f"rm {directory / min(strangers)}")
    if not files & editable and not alteration.removes:
        raise InvalidLabFile(
            "is the solution: it has no file that differs", path=directory, line=None, hint="rm -r DIR"
        )
    return alteration


def parse(kind: Kind, text: str, path: Path, lab: LabDefinition) -> Alteration:
    """Read what an alteration says of itself.

    Args:
        kind: What it is.
        text: The content of its file.
        path: The file.
        lab: The lab, for the names of its checks and files.

    Raises:
        InvalidLabFile: With the line, where one can be named.
    """
    return _Reader(kind, text, path, lab).alteration(table_of(text, path))


@dataclass(frozen=True, slots=True)
class _Reader:
    _kind: Kind
    _text: str
    _path: Path
    _lab: LabDefinition

    def alteration(self, table: dict[str, Any]) -> Alteration:
        for key in table:
            if key not in self._kind.keys:
                raise self._wrong(key, f"unknown key {quoted(key)}; known: {', '.join(self._kind.keys)}")
        title, rejected = table.get("title"), table.get("rejected", False)
        if not isinstance(title, str) or not title.strip():
            wish = "what is wrong with it" if self._kind == Kind.MUTANT else "what it does otherwise"
            raise self._wrong("title", f"title = {quoted(title)}, expected a text: {wish}")
        if not isinstance(rejected, bool):
            raise self._wrong("rejected", f"rejected = {quoted(rejected)}, expected true")
        fails = self._names(table, "fails", {each.id for each in self._lab.checks})
        if self._kind == Kind.MUTANT and rejected == bool(fails):
            raise self._wrong("fails", "expected either the checks that it fails, or rejected = true")
        removes = self._names(table, "removes", {each.path for each in self._lab.editable})
        return Alteration(self._kind, self._path.parent, title, frozenset(fails), rejected, removes)

    def _names(self, table: dict[str, Any], key: str, known: set[str]) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._wrong(key, f"{key} = {quoted(value)}, expected a list of texts")
        for each in value:
            if each not in known:
                names = ", ".join(sorted(known))
                raise self._wrong(each, f"{key}: lab {self._lab.id!r} has no {quoted(each)}; it has: {names}")
        return tuple(value)

    def _wrong(self, word: str, message: str) -> InvalidLabFile:
        """Point at the line that is about the word."""
        line = line_of(self._text, word)
        return InvalidLabFile(message, path=self._path, line=line, hint=f"edit {self._path}")
