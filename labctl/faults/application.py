"""Applying faults to a lab, and undoing them; every applied fault is on record from before it acts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import EngineError, FaultClash, FaultError, LabctlError, LabNotUp, ServiceNotReady
from labctl.faults import hostchange
from labctl.faults.fault import Scene
from labctl.faults.hostchange import VOLATILE, Files
from labctl.interruption import undone
from labctl.lab.mark.faultrecord import FAULT, FaultRecord, volume_name
from labctl.lab.parallel import in_parallel
from labctl.lab.running import instance, patience

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.faults.fault import Fault
    from labctl.faults.hostchange import HostChange
    from labctl.lab.running.instance import Host, Instance


_DISTURBED_WITHIN: Final = 2.0
"""Seconds that a host has to answer which another fault may keep from it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A fault that is applied."""

    name: str
    parameters: Mapping[str, str]
    title: str
    services: tuple[str, ...]


def apply(engine: Engine, there: Instance, fault: Fault, given: Mapping[str, str]) -> Applied:
    """Apply a fault to a lab.

    Nothing stays half-applied: where a host refuses its part, what was done is undone.

    Raises:
        UsageError: A parameter is wrong, or names no host.
        FaultClash: It, or another that changes the same, is applied already.
        LabNotUp: A host that it changes does not run.
        FaultError: A host refused it.
    """
    values = fault.values(given)
    _refuse_second(there, fault.name)
    files = Files(engine)
    changes = fault.plan(Scene(files, there, values))
    return change(engine, there, fault.name, values, changes, title=fault.told(values), files=files)


def change(
    engine: Engine,
    there: Instance,
    name: str,
    values: Mapping[str, str],
    changes: tuple[HostChange, ...],
    *,
    title: str,
    files: Files | None = None,
) -> Applied:
    """Make changes to hosts under a name, on record as a fault is; what `apply` does with a fault's plan.

    Args:
        engine: The engine.
        there: The lab.
        name: What to call it.
        values: Its parameters, for the record.
        changes: The changes, one for each host.
        title: What it does, in words.
        files: What has just been read of the hosts' files, if anything.
    """
    files = files or Files(engine)
    _refuse_second(there, name)
    _refuse_clash(there, name, changes)
    hosts = {each.service: there.host(each.service) for each in changes}
    for service, host in hosts.items():
        if not host.running:
            raise LabNotUp(f"{service} ({host.hostname}) is {host.state}", hint="labctl status")
    told = in_parallel(lambda each: each.before(files, hosts[each.service]), changes)
    record = FaultRecord(name, values, {each.service: undo for each, undo in zip(changes, told, strict=True)})
    with undone(lambda: _undo(engine, there, record)):
        engine.create_volume(record.volume(there.name, there.lab))
        in_parallel(lambda each: each.apply(files, hosts[each.service], name), changes)
    return Applied(name, dict(values), title, tuple(hosts))


def revert(engine: Engine, there: Instance, name: str) -> None:
    """Undo one fault; one that is not applied is no error.

    A host that somebody has stopped or paused since is started again.

    Raises:
        FaultClash: Another fault keeps a host stopped that would have to be put back.
        EngineError: A host could not be put back; the fault stays on record.
        FaultError: As above, or its record can't be read.
    """
    _refuse_unreadable(there, name)
    for record in there.faults:
        if record.name == name:
            _refuse_stopped(there, record)
            _undo(engine, there, record)


def revert_all(engine: Engine, there: Instance) -> tuple[str, ...]:
    """Undo every fault that is on record, and go on where one can't be undone.

    Returns:
        The names of those that were on record.

    Raises:
        EngineError: One could not be undone; it stays on record.
        FaultError: As above, or a record can't be read.
    """
    failures: list[LabctlError] = []
    # What was stopped is started first: the others need their hosts running.
    for record in sorted(there.faults, key=lambda each: not _stops(each)):
        try:
            _undo(engine, there, record)
        except (EngineError, FaultError) as exc:
            failures.append(exc)
    if failures:
        raise failures[0]
    _refuse_unreadable(there, None)
    return tuple(record.name for record in there.faults)


def _refuse_second(there: Instance, name: str) -> None:
    _refuse_unreadable(there, name)
    if any(record.name == name for record in there.faults):
        raise FaultClash(f"fault {name} is applied already", hint=f"labctl fault revert {name}")


def _refuse_unreadable(there: Instance, name: str | None) -> None:
    """Refuse to go on over a fault that another version of labctl has applied; None stands for any."""
    known = {record.name for record in there.faults}
    for volume in there.fault_volumes:
        found = volume.labels[FAULT]
        if found not in known and name in {None, found}:
            raise FaultError(
                f"fault {found} of lab {there.name!r} was applied by another version of labctl, "
                "which alone can undo it",
                hint=f"labctl down --name {there.name}",
            )


def _refuse_clash(there: Instance, name: str, changes: tuple[HostChange, ...]) -> None:
    wanted = {mark for each in changes for mark in each.touches}
    stopped = {each.service for each in changes if each.stopped}
    for record in there.faults:
        taken = {mark for told in record.undo.values() for mark in told.get("touches", ())}
        shared = sorted(wanted & taken)
        # A host that stops forgets its rules, servers and disciplines.
        shared += sorted(
            f"{service}: what ends with it"
            for service in stopped & record.undo.keys()
            if record.undo[service].keys() & VOLATILE
        )
        if shared:
            raise FaultClash(
                f"fault {name} clashes with {record.name}: both change {', '.join(shared)}",
                hint=f"labctl fault revert {record.name}",
            )


def _refuse_stopped(there: Instance, record: FaultRecord) -> None:
    for other in there.faults:
        if other.name == record.name:
            continue
        for service in sorted(other.services & record.services):
            if other.undo[service].get("stopped"):
                raise FaultClash(
                    f"fault {record.name} can't be undone on {service}: fault {other.name} keeps it stopped",
                    hint=f"labctl fault revert {other.name}",
                )


def _stops(record: FaultRecord) -> bool:
    return any(told.get("stopped") for told in record.undo.values())


def _undo(engine: Engine, there: Instance, record: FaultRecord) -> None:
    """Undo a fault on every host that it changed, and take it off the record."""
    others = [each for each in there.faults if each.name != record.name]
    disturbed = frozenset().union(*(each.services for each in others))
    changed = [each for each in there.hosts if each.service in record.undo]
    in_parallel(
        lambda host: _undo_on(engine, there, host, record, disturbed=host.service in disturbed), changed
    )
    engine.remove_volume(volume_name(there.name, record.name))


def _undo_on(engine: Engine, there: Instance, host: Host, record: FaultRecord, *, disturbed: bool) -> None:
    """Undo a fault on one host, which is made to run for that.

    Args:
        engine: The engine.
        there: The lab.
        host: The host.
        record: The fault.
        disturbed: Whether another fault is at work here, too: then it may never answer as it should.
    """
    if host.container is None:
        return  # what is made anew has nothing of the fault
    container, told = engine.inspect(host.container.id), record.undo[host.service]
    if container.state == ContainerState.PAUSED:
        engine.unpause(container.id)
    elif container.state != ContainerState.RUNNING:
        hostchange.put_back(engine, container.id, told)
        engine.start(container.id)
    host = instance.observed(engine.inspect(container.id))
    if container.state != ContainerState.RUNNING:
        with suppress(*((ServiceNotReady,) if disturbed else ())):
            within = _DISTURBED_WITHIN if disturbed else patience.READY_WITHIN
            patience.await_ready(engine, host, there.domains, within=within)
    hostchange.undo(engine, host, record.name, told)
