"""``labctl exercises``: what there is to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.contract.value import LabName, Ordinal, Text, Word
from labctl.exercises.catalogue import discovery
from labctl.lab import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Row:
    """One exercise."""

    id: Text
    lab: LabName
    title: Text
    description: str
    """What is learnt by it; may be empty."""
    path: Word
    line: Ordinal


@dataclass(frozen=True, slots=True)
class Exercises:
    """The exercises of a lab."""

    SCHEMA: ClassVar = "labctl/exercises/v1"

    exercises: tuple[Row, ...]


def exercises(lab: str, environ: Mapping[str, str]) -> Exercises:
    """List the exercises of a lab.

    Raises:
        NoSuchLab: There is none of that name.
        InvalidLabFile: The lab's definition is wrong, or a file of exercises is no Python.
    """
    found = catalogue.find(lab, environ)
    return Exercises(
        tuple(
            Row(each.id, found.id, each.title, each.description, str(each.path), each.line)
            for each in discovery.of_lab(found)
        )
    )
