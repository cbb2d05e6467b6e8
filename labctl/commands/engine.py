"""``labctl engine``: the machine's own engine, and what labctl did to bring it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labctl.contract.value import Ordinal, Word
from labctl.engine import wire
from labctl.engine.local import bootstrap
from labctl.engine.machine import Machine
from labctl.engine.search import look_around
from labctl.errors import EngineError
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from labctl.engine.local.bootstrap import State, Status


@dataclass(frozen=True, slots=True)
class EngineReport:
    """The engine that commands use, and labctl's part in the machine's own.

    Args:
        state: Of the machine's own engine; silent where it runs, and does not answer.
        version: Of the engine that answers; None where none does.
        endpoint: Where that one answers.
        ordered_by: What names it (``DOCKER_HOST``, ``docker context NAME``); None for a usual socket.
        installed_by_labctl: Whether labctl installed the machine's own.
        started_by_labctl: Whether it started it, by itself or by systemd.
        packages: The packages that it installed.
        pid: The process of the machine's own dockerd.
        log: The log of a dockerd that labctl started.
    """

    SCHEMA: ClassVar = "labctl/engine/v1"

    state: State
    version: Word | None
    endpoint: Word | None
    ordered_by: Word | None
    installed_by_labctl: bool
    started_by_labctl: bool
    packages: tuple[Word, ...]
    pid: Ordinal | None
    log: Word | None


def engine_status(environ: Mapping[str, str], home: Path, *, machine: Machine | None = None) -> EngineReport:
    """Say which engine answers, and what labctl did to bring it."""
    machine = machine or Machine()
    return _report(bootstrap.status(machine), environ, home, machine)


def engine_start(
    environ: Mapping[str, str], home: Path, *, machine: Machine | None = None, progress: Progress = silent
) -> EngineReport:
    """Start the machine's own engine; see `bootstrap.start`."""
    machine = machine or Machine()
    return _report(bootstrap.start(machine, progress), environ, home, machine)


def engine_stop(
    environ: Mapping[str, str], home: Path, *, machine: Machine | None = None, progress: Progress = silent
) -> EngineReport:
    """End an engine that labctl installed or started; see `bootstrap.stop`."""
    machine = machine or Machine()
    return _report(bootstrap.stop(machine, progress), environ, home, machine)


def engine_remove(
    environ: Mapping[str, str], home: Path, *, machine: Machine | None = None, progress: Progress = silent
) -> EngineReport:
    """Undo what labctl did to bring an engine; see `bootstrap.remove`."""
    machine = machine or Machine()
    return _report(bootstrap.remove(machine, progress), environ, home, machine)


def _report(status: Status, environ: Mapping[str, str], home: Path, machine: Machine) -> EngineReport:
    try:
        endpoint = look_around(environ, home, machine=machine).found
        version = wire.get_json(endpoint, "/version").get("Version") if endpoint else None
    except EngineError:
        # An order that can't be followed is an engine that does not answer, which is what is asked here.
        endpoint = version = None
    record = status.record
    return EngineReport(
        state=status.state,
        version=version,
        endpoint=endpoint.url if endpoint else None,
        ordered_by=endpoint.ordered_by if endpoint else None,
        installed_by_labctl=record is not None and record.installed,
        started_by_labctl=record is not None and record.started_by in {"labctl", "systemd"},
        packages=record.packages if record else (),
        pid=status.pid,
        log=str(status.log) if status.log else None,
    )
