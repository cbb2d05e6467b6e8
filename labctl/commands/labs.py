"""``labctl labs``: the catalogue."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.errors import InvalidLabFile
from labctl.lab import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.lab.definition import LabDefinition


@dataclass(frozen=True, slots=True)
class Row:
    """One lab of the catalogue; the scores are None where it is not graded."""

    id: str
    title: str
    topology: str
    exercises: int
    gradable: bool
    max_score: float | None
    starter_score: float | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All labs that can be started by their id."""

    SCHEMA: ClassVar = "labctl/labs/v1"

    labs: tuple[Row, ...]


def labs(environ: Mapping[str, str]) -> Catalogue:
    """List the catalogue.

    Raises:
        InvalidLabFile: A lab's definition, or a file of its exercises, is wrong.
    """
    return Catalogue(tuple(_row(each) for each in catalogue.all_labs(environ)))


def _row(lab: LabDefinition) -> Row:
    gradable = bool(lab.checks)
    return Row(
        id=lab.id,
        title=lab.title,
        topology=lab.topology,
        exercises=sum(_count(path) for path in sorted((lab.directory / "exercises").glob("test_*.py"))),
        gradable=gradable,
        max_score=lab.max_score if gradable else None,
        starter_score=lab.grading.starter_score if gradable and lab.grading is not None else None,
    )


def _count(path: Path) -> int:
    """Count the exercises of a file, which are its test functions, without running it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError) as exc:
        line = exc.lineno if isinstance(exc, SyntaxError) else None
        raise InvalidLabFile(f"can't be read: {exc}", path=path, line=line, hint=f"edit {path}") from exc
    return sum(isinstance(each, ast.FunctionDef) and each.name.startswith("test_") for each in tree.body)
