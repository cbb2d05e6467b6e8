"""``labctl reset``: a lab as new."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.commands.status import Status, describe_ready
from labctl.contract.value import LabName, Word
from labctl.engine import images
from labctl.errors import EngineError, FaultError
from labctl.lab import lock, origin
from labctl.lab.running import instance, pristine
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Instance


@dataclass(frozen=True, slots=True)
class Reset:
    """A lab as new."""

    SCHEMA: ClassVar = "labctl/reset/v1"

    name: LabName
    lab: Word
    """The lab's id."""
    changed: tuple[Word, ...]
    """What had to be done beyond emptying it, one deed each; empty where nothing was."""
    status: Status


def reset(
    engine: Engine,
    name: str | None,
    *,
    environ: Mapping[str, str],
    progress: Progress = silent,
) -> Reset:
    """Make a lab as new: no faults, queues and mailboxes empty, its own files, a mark in each log.

    Raises:
        UsageError: No such lab is up, or its definition is not to be found any more.
        EngineError: The engine failed, or a daemon did not become ready.
    """
    there = instance.select(engine, name)
    specs = origin.image_specs()
    planner = origin.planner_of(there, environ, specs)
    with lock.held(engine, there.name, progress):
        images.ensure(engine, specs, environ=environ, progress=progress)
        there = instance.observe(engine, there.name)  # it may have changed while the lock was waited for
        reverted = _without_faults(engine, there)
        restored = pristine.restore(engine, planner, progress, there=None if there.fault_volumes else there)
        described = describe_ready(engine, restored.there)
    changed = (*(f"fault {each} reverted" for each in reverted), *map(str, restored.changes))
    return Reset(there.name, planner.lab.id, changed, described)


def _without_faults(engine: Engine, there: Instance) -> tuple[str, ...]:
    """Undo the faults; a host where that fails is made anew afterwards, and what was done to it ends so."""
    if not there.fault_volumes:
        return ()
    from labctl.faults import application  # noqa: PLC0415  # not where there are none

    with suppress(EngineError, FaultError):
        return application.revert_all(engine, there)
    return ()
