"""``labctl exercises``: what there is to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.exercises import discovery
from labctl.lab import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.lab.definition import LabDefinition


@dataclass(frozen=True, slots=True)
class Row:
    """One exercise: what it is about, and what is learnt by it."""

    id: str
    lab: str
    title: str
    learn: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Exercises:
    """The exercises of one lab, or of all."""

    SCHEMA: ClassVar = "labctl/exercises/v1"

    exercises: tuple[Row, ...]


def exercises(lab: str | None, environ: Mapping[str, str]) -> Exercises:
    """List the exercises of a lab, or of all of the catalogue where none is named.

    Raises:
        NoSuchLab: There is none of that name.
        InvalidLabFile: A lab's definition is wrong, or a file of exercises is no Python.
    """
    labs = (catalogue.find(lab, environ),) if lab is not None else catalogue.all_labs(environ)
    return Exercises(tuple(row for each in labs for row in _rows(each)))


def _rows(lab: LabDefinition) -> list[Row]:
    return [
        Row(each.id, lab.id, each.title, each.learn, str(each.path), each.line)
        for each in discovery.of_lab(lab)
    ]
