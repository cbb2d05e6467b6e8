"""What lies between a lab as it is and as it should be; finding out changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import SubnetInUse
from labctl.lab.blueprint import addresses
from labctl.lab.mark import faultrecord, labels
from labctl.lab.mark.record import Record
from labctl.lab.role import Role
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Network

    from labctl.engine.model import Container
    from labctl.engine.protocol import Engine
    from labctl.lab.blueprint.plan import Plan, PlannedHost, Planner
    from labctl.lab.running.instance import Instance

LOST: Final = {
    Role.MTA: "its mail queue is lost",
    Role.MDA: "its mailboxes are lost",
    Role.DNS: "nothing is lost",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do, or done, to one object of a lab."""

    subject: str
    action: str
    reason: str = ""

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.subject} {self.action}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Step:
    """What one planned host needs."""

    host: PlannedHost
    found: Container | None
    create: bool
    files: tuple[str, ...]
    """Paths to write; of a container that is created all of them."""

    changes: tuple[Change, ...]

    left: bool = False
    """An applied fault is at work here: the host is left as it is, and nobody waits for it."""

    @property
    def service(self) -> str:
        """The service's name."""
        return self.host.service.name

    @property
    def role(self) -> Role:
        """What the host is for."""
        return self.host.service.role


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between a lab as it is and as it should be."""

    plan: Plan
    there: Instance
    new_network: bool
    stale_network: bool
    strangers: tuple[Container, ...]
    """Containers of the lab that the plan knows nothing of."""

    steps: tuple[Step, ...]

    @property
    def record(self) -> Record:
        """What is on record when all of it was done: of a host that is left as it is, what was before.

        And a label that was given once stays, until it is given anew.
        """
        planned = self.plan.record
        known = self.there.record or Record({}, ())
        kept = {
            name: known.files.get(name, {}) for each in self.steps if each.left and (name := each.service)
        }
        return replace(planned, files={**planned.files, **kept}, labels={**known.labels, **planned.labels})

    @property
    def ended_faults(self) -> tuple[str, ...]:
        """The volumes of the faults that end with this: all that they changed is made anew."""
        made = {each.service for each in self.steps if each.create}
        services = {each.name: each.services for each in self.there.faults}
        return tuple(
            volume.name
            for volume in self.there.fault_volumes
            if self.new_network or services.get(volume.labels[faultrecord.FAULT], {""}) <= made
        )

    @property
    def affected(self) -> frozenset[str]:
        """The services that may not answer as they should when all of it was done."""
        lasting = (each for each in self.there.fault_volumes if each.name not in self.ended_faults)
        return replace(self.there, fault_volumes=tuple(lasting)).affected

    @property
    def settled(self) -> bool:
        """Whether nothing is to be done, nor to be put on record or taken off it."""
        return not self.changes and not self.ended_faults and self.there.record == self.record

    @property
    def changes(self) -> tuple[Change, ...]:
        """All that is to be done, in words."""
        found: list[Change] = []
        if self.new_network:
            action = "recreated" if self.stale_network else "created"
            found.append(Change("network", action, str(self.plan.network.subnet)))
        found.extend(Change(each.name, "removed", "not in this lab") for each in self.strangers)
        for step in self.steps:
            found.extend(step.changes)
        return tuple(found)


def compare(engine: Engine, planner: Planner, there: Instance | None = None) -> Difference:
    """Compare a lab, as it is or as it has just been seen, with its plan; nothing is changed.

    What an applied fault has done is no difference: its host is left as it is, unless that has to be made
    anew for another reason.
    """
    there = there or instance.observe(engine, planner.name)
    plan = planner.on(_subnet(engine, planner, there))
    network = there.network
    stale = network is not None and network.labels.get(labels.CONFIG) != plan.network.labels[labels.CONFIG]
    if stale:
        plan = planner.on(free_subnet(engine, planner))
    found = {each.service: each.container for each in there.hosts if each.container is not None}
    return _difference(plan, there, found, fresh=network is None or stale, stale=stale)


def from_nothing(plan: Plan, there: Instance) -> Difference:
    """Say what a plan needs where nothing of it is there."""
    return _difference(plan, there, {}, fresh=True)


def _difference(
    plan: Plan, there: Instance, found: Mapping[str, Container], *, fresh: bool, stale: bool = False
) -> Difference:
    names = [host.service.name for host in plan.hosts]
    recorded = there.record.files if there.record is not None else {}
    steps = (
        _step(host, found.get(name), recorded.get(name, {}), fresh=fresh, faulted=name in there.faulted)
        for host, name in zip(plan.hosts, names, strict=True)
    )
    strangers = tuple(found[each] for each in sorted(set(found).difference(names)))
    return Difference(plan, there, fresh, stale, strangers, tuple(steps))


def _subnet(engine: Engine, planner: Planner, there: Instance) -> IPv4Network:
    """Keep the subnet that the lab has, unless its topology wants another size."""
    for subnet in there.network.subnets if there.network is not None else ():
        if subnet.prefixlen == planner.topology.prefix_length:
            return subnet
    return free_subnet(engine, planner)


def free_subnet(engine: Engine, planner: Planner, refused: Iterable[IPv4Network] = ()) -> IPv4Network:
    """Choose a subnet that nothing on the engine or its machine uses.

    Args:
        engine: The engine.
        planner: The lab's planner, which knows how large a network it needs.
        refused: Subnets that the engine has refused before.

    Raises:
        SubnetInUse: None is free.
    """
    taken = [subnet for network in engine.networks({}) for subnet in network.subnets]
    wanted = addresses.candidates(
        planner.name, planner.topology.prefix_length, [*taken, *addresses.routed_here(), *refused]
    )
    subnet = next(wanted, None)
    if subnet is None:
        raise SubnetInUse(f"no subnet of {addresses.POOL} is free", hint="labctl prune, or labctl down --all")
    return subnet


def _step(
    host: PlannedHost,
    found: Container | None,
    recorded: Mapping[str, str],
    *,
    fresh: bool,
    faulted: bool,
) -> Step:
    name = host.service.name
    everything = tuple(host.manifest)
    if found is None:
        return Step(host, None, create=True, files=everything, changes=(Change(name, "created"),))
    dying = found.state in {ContainerState.DEAD, ContainerState.REMOVING}
    faulted = faulted and found.state != ContainerState.CREATED  # no fault has acted on what never ran
    reason = ""
    if dying or (found.address is None and not faulted):
        reason = f"it was {found.state if dying else 'cut off from its network'}"
    elif fresh or found.labels.get(labels.CONFIG) != host.container.labels[labels.CONFIG]:
        reason = "a new network" if fresh else "another image or environment"
    if reason:
        change = Change(name, "recreated", f"{reason}: {LOST[host.service.role]}")
        return Step(host, found, create=True, files=everything, changes=(change,))
    if faulted:
        return Step(host, found, create=False, files=(), changes=(), left=True)
    stale = tuple(path for path, digest in host.manifest.items() if recorded.get(path) != digest)
    changes = []
    if stale:
        changes.append(Change(name, "given new files", ", ".join(stale)))
    match found.state:
        case ContainerState.RUNNING:
            pass
        case ContainerState.PAUSED:
            changes.append(Change(name, "unpaused"))
        case _:
            changes.append(Change(name, "started"))
    return Step(host, found, create=False, files=stale, changes=tuple(changes))
