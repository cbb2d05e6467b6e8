"""``labctl reset``: a lab as new."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.commands.status import Status, describe_ready
from labctl.contract.value import LabName, Word
from labctl.errors import EngineError, FaultError
from labctl.lab import lock
from labctl.lab.name import valid_name
from labctl.lab.running import instance, pristine
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.lab.blueprint.plan import Planner
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
    name = instance.select(engine, None).name if name is None else valid_name(name)
    with lock.held(engine, name, progress):
        there = instance.select(engine, name)
        reverted = _without_faults(engine, there)
        if there.fault_volumes:
            there = instance.observe(engine, name)

        def plan() -> Planner:
            from labctl.engine import images  # noqa: PLC0415  # as they take a while to import
            from labctl.lab import origin  # noqa: PLC0415

            specs = origin.image_specs()
            images.ensure(engine, specs, environ=environ, progress=progress)
            return origin.planner_of(there, environ, specs)

        restored = pristine.restore(engine, there, plan, progress)
        described = describe_ready(engine, restored.there)
    changed = (*(f"fault {each} reverted" for each in reverted), *map(str, restored.changes))
    return Reset(there.name, there.lab, changed, described)


def _without_faults(engine: Engine, there: Instance) -> tuple[str, ...]:
    """Undo the faults; a host where that fails is made anew afterwards, and what was done to it ends so."""
    if not there.fault_volumes:
        return ()
    from labctl.faults import application  # noqa: PLC0415  # not where there are none

    with suppress(EngineError, FaultError):
        return application.revert_all(engine, there)
    return ()
