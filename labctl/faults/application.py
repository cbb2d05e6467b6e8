"""Applying faults to a lab, and undoing them; every applied fault is on record from before it acts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labctl.engine.model import ContainerState
from labctl.errors import EngineError, FaultClash, FaultError, LabctlError, LabNotUp
from labctl.faults import hostchange
from labctl.faults.fault import Scene
from labctl.faults.files import Files
from labctl.lab import instance, lifecycle
from labctl.lab.faultrecord import FaultRecord, volume_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labctl.engine.protocol import Engine
    from labctl.faults.fault import Fault
    from labctl.faults.hostchange import HostChange
    from labctl.lab.instance import Host, Instance


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
    return change(
        engine, there, fault.name, values, changes, title=fault.title.format_map(values), files=files
    )


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
    with ThreadPoolExecutor(max_workers=max(len(changes), 1)) as pool:
        told = list(pool.map(lambda each: each.before(files, hosts[each.service]), changes))
    record = FaultRecord(name, values, {each.service: undo for each, undo in zip(changes, told, strict=True)})
    try:
        engine.create_volume(record.volume(there.name, there.lab))
        with ThreadPoolExecutor(max_workers=max(len(changes), 1)) as pool:
            for done in [pool.submit(each.apply, files, hosts[each.service], name) for each in changes]:
                done.result()
    except BaseException:
        _undo(engine, there, record)
        raise
    return Applied(name, dict(values), title, tuple(hosts))


def revert(engine: Engine, there: Instance, name: str) -> None:
    """Undo one fault; one that is not applied is no error.

    Raises:
        EngineError: A host could not be put back; the fault stays on record.
    """
    for record in there.faults:
        if record.name == name:
            _undo(engine, there, record)


def revert_all(engine: Engine, there: Instance) -> tuple[str, ...]:
    """Undo every fault that is on record, and go on where one can't be undone.

    Returns:
        The names of those that were on record.

    Raises:
        EngineError: One could not be undone; it stays on record.
    """
    failures: list[LabctlError] = []
    for record in there.faults:
        try:
            _undo(engine, there, record)
        except (EngineError, FaultError) as exc:
            failures.append(exc)
    if failures:
        raise failures[0]
    return tuple(record.name for record in there.faults)


@contextmanager
def applied(engine: Engine, there: Instance, fault: Fault, given: Mapping[str, str]) -> Iterator[Applied]:
    """Apply a fault for the length of a block."""
    done = apply(engine, there, fault, given)
    try:
        yield done
    finally:
        revert(engine, instance.observe(engine, there.name), fault.name)


def _refuse_second(there: Instance, name: str) -> None:
    if any(record.name == name for record in there.faults):
        raise FaultClash(f"fault {name} is applied already", hint=f"labctl fault revert {name}")


def _refuse_clash(there: Instance, name: str, changes: tuple[HostChange, ...]) -> None:
    wanted = {mark for each in changes for mark in each.touches}
    for record in there.faults:
        taken = {mark for told in record.undo.values() for mark in told.get("touches", ())}
        if shared := wanted & taken:
            raise FaultClash(
                f"fault {name} clashes with {record.name}: both change {', '.join(sorted(shared))}",
                hint=f"labctl fault revert {record.name}",
            )


def _undo(engine: Engine, there: Instance, record: FaultRecord) -> None:
    """Undo a fault on every host that it changed, and take it off the record."""
    hosts = {each.service: each for each in there.hosts}
    told = [(hosts[service], each) for service, each in record.undo.items() if service in hosts]
    with ThreadPoolExecutor(max_workers=max(len(told), 1)) as pool:
        for done in [pool.submit(_undo_on, engine, there, host, record.name, each) for host, each in told]:
            done.result()
    engine.remove_volume(volume_name(there.name, record.name))


def _undo_on(engine: Engine, there: Instance, host: Host, fault: str, told: Mapping[str, Any]) -> None:
    if host.container is None:
        return  # what is made anew has nothing of the fault
    host = instance.observed(engine.inspect(host.container.id))
    container = host.running_container() if host.running else host.container
    assert container is not None
    if told.get("stopped"):
        if container.state not in {ContainerState.RUNNING, ContainerState.PAUSED}:
            engine.start(container.id)
        host = instance.observed(engine.inspect(container.id))
        lifecycle.await_ready(engine, host, there.domains)
    if host.running:
        hostchange.undo(engine, host, fault, told)
    elif told.keys() - {"touches", "stopped", "rules", "server", "qdisc"}:
        raise FaultError(
            f"fault {fault} can't be undone on {host.service}, which is {host.state}",
            hint="labctl up, and once more",
        )
