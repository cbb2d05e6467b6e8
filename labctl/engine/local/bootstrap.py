"""An engine where there is none: installed and started on a yes, recorded, and undone from the record."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from labctl.engine.endpoint import Endpoint
from labctl.engine.local import daemon, packages, traces
from labctl.engine.local import record as records
from labctl.engine.machine import Machine
from labctl.engine.search import INSTALL_DOCKER, Answer, look, look_around
from labctl.errors import EngineError, UsageError
from labctl.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from labctl.engine.local.record import Record

State = Literal["running", "silent", "stopped", "absent"]

_LOCK: Final = "/run/labctl-engine.lock"


@dataclass(frozen=True, slots=True)
class Status:
    """The machine's own engine, and labctl's part in it.

    Args:
        state: ``running``, ``silent`` (it runs, but does not answer), ``stopped`` or ``absent``.
        record: What labctl did; None where it did nothing.
        pid: The dockerd that runs.
        log: The log of a dockerd that labctl started.
    """

    state: State
    record: Record | None
    pid: int | None
    log: Path | None


def ensure_engine(
    environ: Mapping[str, str],
    home: Path,
    confirm: Callable[[str], bool],
    progress: Progress = silent,
    *,
    machine: Machine | None = None,
) -> Endpoint:
    """Find the engine to use; where there is none at all, bring one, if told yes.

    Args:
        environ: The environment.
        home: The user's home directory.
        confirm: Asked with a sentence that says what will be done.
        progress: Told each step.
        machine: Where.

    Raises:
        EngineUnavailable: None answers, and none may or can be brought.
        EngineError: Installing or starting it failed.
    """
    machine = machine or Machine()
    search = look_around(environ, home, machine=machine)
    if (found := search.found) is not None:
        return found
    if not search.vacant:
        raise search.error()
    if (hint := next_step(machine)) is not None:
        raise search.error(hint)
    if not confirm(proposal(machine)):
        raise search.error("labctl up --yes")
    bring(machine, progress)
    return Endpoint(machine.engine_url)


def next_step(machine: Machine) -> str | None:
    """Say what the user has to do where labctl can't bring an engine; None where it can."""
    if machine.program("dockerd") is not None:
        if machine.is_root:
            return None
        return "sudo systemctl start docker" if machine.has_systemd else "sudo labctl engine start"
    if packages.obstacle(machine) is None:
        return None
    if packages.obstacle(replace(machine, uid=0)) is None:
        return "sudo labctl up --yes"
    return INSTALL_DOCKER


def proposal(machine: Machine) -> str:
    """Say exactly what `bring` will do."""
    starting = "start it with systemctl" if machine.has_systemd else f"start dockerd (log: {daemon.LOG})"
    if machine.program("dockerd") is not None:
        return f"Docker Engine is installed but does not run. labctl will {starting}."
    names = ", ".join(packages.wanted(machine))
    return (
        f"No container engine is here. labctl will install {names} with apt-get, and what they need, "
        f"and {starting}. `labctl engine remove` undoes it."
    )


def bring(machine: Machine, progress: Progress = silent) -> Record | None:
    """Install the engine if it is not installed, start it, and wait until it answers.

    Each step is recorded before it is taken, so that one that is cut short can be taken up or undone.

    Returns:
        What was done; None where the engine answered already.

    Raises:
        UsageError: labctl is not root.
        EngineError: A step failed.
    """
    _require_root(machine, "start")
    with _locked(machine):
        if daemon.answers(machine):
            return records.read(machine)
        record = records.read(machine) or records.survey(machine)
        if machine.program("dockerd") is None or record.packages_before is not None:
            record = _install(machine, record, progress)
        progress("engine", "starting")
        launched = daemon.launch(machine)
        record = replace(record, started_by=launched.by, pid=launched.pid)
        records.write(machine, record)
        record = replace(record, pid=daemon.await_answer(machine, launched))
        records.write(machine, record)
        progress("engine", "ready")
        return record


def status(machine: Machine | None = None) -> Status:
    """Describe the machine's own engine."""
    machine = machine or Machine()
    record = records.read(machine)
    log = machine.path(daemon.LOG)
    pid = daemon.dockerd_pid(machine)
    answer = look(Endpoint(machine.engine_url)).answer
    if answer in {Answer.ANSWERS, Answer.FORBIDDEN}:
        state: State = "running"
    elif answer is Answer.SILENT or pid is not None:
        state = "silent"
    else:
        state = "absent" if machine.program("dockerd") is None else "stopped"
    logged = record is not None and record.started_by == "labctl" and log.exists()
    return Status(state, record, pid, log if logged else None)


def start(machine: Machine | None = None, progress: Progress = silent) -> Status:
    """Start the installed engine; nothing is installed.

    Raises:
        UsageError: There is none, or labctl may not.
        EngineError: It does not start.
    """
    machine = machine or Machine()
    if not daemon.answers(machine):
        if machine.program("dockerd") is None:
            raise UsageError("no engine is installed on this machine", hint="labctl up --yes")
        bring(machine, progress)
    return status(machine)


def stop(machine: Machine | None = None, progress: Progress = silent) -> Status:
    """End the engine that labctl installed or started, and every container with it.

    Raises:
        UsageError: It is none of labctl's, or labctl may not.
        EngineError: It does not end.
    """
    machine = machine or Machine()
    _own(machine, "stop")
    with _locked(machine):
        record = _own(machine, "stop")
        if not _is_ours(machine, record):
            raise UsageError(
                f"the dockerd that runs (process {daemon.dockerd_pid(machine)}) was not started by labctl",
                hint="labctl engine status",
            )
        progress("engine", "stopping")
        daemon.stop(machine)
        records.write(machine, replace(record, pid=None))
        progress("engine", "stopped")
    return status(machine)


def remove(machine: Machine | None = None, progress: Progress = silent) -> Status:
    """Undo what labctl did: an engine that it only started is ended, one that it installed is removed.

    Raises:
        UsageError: It is none of labctl's, or labctl may not.
        EngineError: A step failed; the record stays, and a second call goes on.
    """
    machine = machine or Machine()
    _own(machine, "remove")
    with _locked(machine):
        record = _own(machine, "remove")
        if _is_ours(machine, record):
            progress("engine", "stopping")
            daemon.stop(machine)
        if record.installed:
            _uninstall(machine, record, progress)
        machine.path(daemon.LOG).unlink(missing_ok=True)
        machine.path(records.PATH).unlink()
        for directory in (machine.path(daemon.LOG).parent, machine.path(records.PATH).parent):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        progress("engine", "removed")
    return status(machine)


def _install(machine: Machine, record: Record, progress: Progress) -> Record:
    if (reason := packages.obstacle(machine)) is not None:
        raise EngineError(f"no engine is installed here, and {reason}", hint=INSTALL_DOCKER)
    resume = record.packages_before is not None
    if record.packages_before is None:
        record = replace(record, packages_before=tuple(sorted(packages.installed(machine))))
        records.write(machine, record)
    packages.install(machine, progress, resume=resume)
    record = replace(record, packages=_brought(machine, record), packages_before=None)
    records.write(machine, record)
    return record


def _brought(machine: Machine, record: Record) -> tuple[str, ...]:
    if record.packages_before is None:
        return record.packages
    new = packages.installed(machine) - set(record.packages_before)
    return tuple(sorted(new | set(record.packages)))


def _uninstall(machine: Machine, record: Record, progress: Progress) -> None:
    progress("engine", "removing")
    # While the tools for it are still here: they may be among the packages.
    traces.remove_rules(machine, policy=record.forward_policy_before, forwarding=record.forwarding_before)
    traces.remove_bridges(machine)
    if not record.group_before:
        traces.remove_group(machine)
    packages.purge(machine, _brought(machine, record))
    traces.remove_directories(machine, record.directories_before)
    traces.remove_key(machine)


def _is_ours(machine: Machine, record: Record) -> bool:
    """Whether labctl may end what runs: an engine it installed, or the very process that it started."""
    running = daemon.dockerd_pid(machine)
    if record.installed or running is not None:
        return record.installed or running == record.pid
    return not daemon.answers(machine)


def _own(machine: Machine, verb: str) -> Record:
    record = records.read(machine)
    if record is None:
        raise UsageError(
            f"this machine's engine was not installed or started by labctl: it does not {verb} it",
            hint="labctl engine status",
        )
    _require_root(machine, verb)
    return record


def _require_root(machine: Machine, verb: str) -> None:
    if not machine.is_root:
        raise UsageError(f"only root may {verb} the engine", hint=f"sudo labctl engine {verb}")


@contextmanager
def _locked(machine: Machine) -> Iterator[None]:
    """Let one labctl at a time act on the machine's engine; the lock goes with its process."""
    path = machine.path(_LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
