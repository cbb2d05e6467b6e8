"""``labctl down``: removes a lab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from labctl.contract.value import LabName, Word
from labctl.errors import LabInUse, LabNotUp
from labctl.lab import lock
from labctl.lab.name import valid_name
from labctl.lab.running import instance, leftovers
from labctl.lab.running.teardown import take_down
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from labctl.engine.protocol import Engine

_PATIENCE: Final = 0.5
"""Seconds to wait for each lab that is in use: there may be many."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A lab that is in use, and stays."""

    name: LabName
    holder: Word
    """Who has it, in words."""


@dataclass(frozen=True, slots=True)
class Down:
    """A lab that was removed, or all that could be.

    Args:
        removed: The names of the containers and networks.
        in_use: Of all labs, those that are in use.
    """

    SCHEMA: ClassVar = "labctl/down/v1"

    removed: tuple[Word, ...]
    in_use: tuple[InUse, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where all that was to go is gone."""
        return LabInUse.exit_code if self.in_use else 0


def down(engine: Engine, name: str | None, *, every: bool = False, progress: Progress = silent) -> Down:
    """Remove one lab, or every lab; it takes only their labels. Where nothing is there, that is success.

    Of the laboratories of grading runs, every lab means those that a dead run left: one that is alive
    removes its own. Of every lab, those that are in use stay.

    Raises:
        UsageError: The name is malformed, or none is given and several labs are up.
        LabInUse: The one lab is in use.
        EngineError: The engine failed.
    """
    if every:
        return _down_all(engine, progress)
    if name is not None:
        name = valid_name(name)
    else:
        try:
            name = instance.select(engine, None).name
        except LabNotUp:
            return Down(())
    with lock.held(engine, name, progress):
        return Down(take_down(engine, name, progress))


def _down_all(engine: Engine, progress: Progress) -> Down:
    names = [each.name for each in instance.observe_all(engine)]
    names.extend(leftovers.of_runs(engine).removable)
    removed: list[str] = []
    in_use: list[InUse] = []
    for each in names:
        try:
            with lock.held(engine, each, progress, patience=_PATIENCE):
                removed.extend(take_down(engine, each, progress))
        except LabInUse as exc:
            in_use.append(InUse(each, exc.holder))
    return Down(tuple(removed), tuple(in_use))
