"""``labctl list``: the labs that run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.contract.value import Word
from labctl.lab.running import instance
from labctl.lab.running.instance import HostState, LabState

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Instance


@dataclass(frozen=True, slots=True)
class Row:
    """One lab."""

    name: Word
    lab: str
    state: LabState
    """What the engine tells, without asking the daemons."""
    created_at: datetime | None
    """None where no container is left."""


@dataclass(frozen=True, slots=True)
class Labs:
    """All labs of which anything is on the engine."""

    SCHEMA: ClassVar = "labctl/list/v1"

    labs: tuple[Row, ...]


def running(engine: Engine) -> Labs:
    """List the labs on an engine, by name."""
    return Labs(
        tuple(
            Row(each.name, each.lab, _state(each), each.created_at) for each in instance.observe_all(engine)
        )
    )


def _state(there: Instance) -> LabState:
    states = {host.state for host in there.hosts}
    if states == {HostState.STOPPED} and there.whole:
        return LabState.STOPPED
    return LabState.READY if there.whole and states == {HostState.STARTING} else LabState.DEGRADED
