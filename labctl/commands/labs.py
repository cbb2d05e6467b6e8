"""``labctl labs``: the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.contract.value import Amount, Count, LabName, When, Word
from labctl.exercises.catalogue import discovery
from labctl.lab import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.lab.blueprint.definition import LabDefinition


@dataclass(frozen=True, slots=True)
class Row:
    """One lab."""

    WHEN: ClassVar = When(
        "gradable",
        value=True,
        then={"max_score": Amount},
        otherwise={"max_score": None, "starter_score": None},
    )

    id: LabName
    title: Word
    topology: Word
    exercises: Count
    """How many there are."""
    gradable: bool
    max_score: Amount | None
    starter_score: Amount | None
    """Of the untouched starter files."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The labs that can be started by their id."""

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
        exercises=len(discovery.of_lab(lab)),
        gradable=gradable,
        max_score=lab.max_score if gradable else None,
        starter_score=lab.grading.starter_score if gradable and lab.grading is not None else None,
    )
