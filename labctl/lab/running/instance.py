"""A lab as the engine sees it: found by its labels alone, whatever labctl made it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from labctl.engine.model import ContainerState
from labctl.errors import LabNotUp, NoSuchHost, NoSuchObject, UsageError
from labctl.lab.account import USERS_FILE, Account, accounts_in, distinct
from labctl.lab.mark import faultrecord, labels, record
from labctl.lab.name import valid_name
from labctl.lab.role import Role, needs
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from labctl.engine.model import Container, Network, Volume
    from labctl.engine.protocol import Engine
    from labctl.lab.mark.faultrecord import FaultRecord


class HostState(StrEnum):
    """A host's state."""

    READY = "ready"
    STARTING = "starting"
    FAULTY = "faulty"
    """It runs, and an applied fault keeps it from answering as it should."""

    PAUSED = "paused"
    STOPPED = "stopped"
    ABSENT = "absent"


class LabState(StrEnum):
    """A lab's state, as its hosts' states make it."""

    READY = "ready"
    STARTING = "starting"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a lab, whose container may be missing."""

    service: str
    hostname: str
    role: Role | None
    """None where nothing tells."""

    domain: str | None
    addresses: tuple[str, ...]
    container: Container | None

    @property
    def state(self) -> HostState:
        """The state as the engine tells it; whether a running daemon answers only a probe can tell."""
        match self.container.state if self.container is not None else None:
            case None | ContainerState.REMOVING:
                return HostState.ABSENT
            case ContainerState.RUNNING | ContainerState.RESTARTING:
                return HostState.STARTING
            case ContainerState.PAUSED:
                return HostState.PAUSED
            case _:
                return HostState.STOPPED

    @property
    def running(self) -> bool:
        """Whether its processes run (and are not frozen)."""
        return self.container is not None and self.container.state == ContainerState.RUNNING

    @property
    def reachable(self) -> bool:
        """Whether it runs and has doors: one that was taken off its network has none."""
        container = self.container
        return self.running and container is not None and bool(container.address or container.published)

    def door(self, port: int, protocol: str = "tcp") -> tuple[str, int]:
        """Return where labctl reaches a port: published on this machine, else at the engine-side address.

        Raises:
            LabNotUp: Its container is missing, does not run, or is on no network.
        """
        container = self.running_container()
        for published in container.published:
            if (published.port, published.protocol) == (port, protocol):
                return "127.0.0.1", published.host_port
        if container.address is None:
            raise LabNotUp(f"{self.service} ({self.hostname}) is on no network", hint="labctl down")
        return str(container.address), port

    def running_container(self) -> Container:
        """Return the container.

        Raises:
            LabNotUp: It is missing or does not run.
        """
        if self.container is None or not self.running:
            raise LabNotUp(f"{self.service} ({self.hostname}) is {self.state}", hint="labctl status")
        return self.container


@dataclass(frozen=True, slots=True)
class Instance:
    """One lab on the engine; `hosts` is empty where there is none."""

    name: str
    lab: str
    network: Network | None
    hosts: tuple[Host, ...]
    record: record.Record | None = None
    volume: Volume | None = None
    """What holds the record, or what is left of it."""

    fault_volumes: tuple[Volume, ...] = ()
    """What holds the records of the applied faults, by the faults' names."""

    @property
    def exists(self) -> bool:
        """Whether anything of it is there."""
        containers = any(each.container is not None for each in self.hosts)
        return bool(containers or self.network or self.volume or self.fault_volumes)

    @property
    def faults(self) -> tuple[FaultRecord, ...]:
        """The faults that are applied to it, by name."""
        read = (faultrecord.of(each) for each in self.fault_volumes)
        return tuple(each for each in read if each is not None)

    @property
    def faulted(self) -> frozenset[str]:
        """The services that an applied fault changes."""
        return frozenset().union(*(each.services for each in self.faults))

    @property
    def affected(self) -> frozenset[str]:
        """The services that may not answer as they should: the faulted ones, and those that need these."""
        return self.with_needing(self.faulted)

    def with_needing(self, services: Collection[str]) -> frozenset[str]:
        """Return services, and those that can't answer without them."""
        needed = [each for each in self.hosts if each.service in services]
        needing = (each.service for each in self.hosts if any(needs(each, other) for other in needed))
        return frozenset({*services, *needing})

    @property
    def seed(self) -> str:
        """What all that is random in its exercises and checks comes from; empty where nothing set it."""
        return self._label(labels.SEED)

    @property
    def vouchers(self) -> frozenset[str]:
        """The directories of locks that its objects name."""
        containers = (each.container for each in self.hosts)
        objects = (self.network, self.volume, *self.fault_volumes, *containers)
        return frozenset(
            each.labels[labels.LOCKS] for each in objects if each and labels.LOCKS in each.labels
        )

    @property
    def run(self) -> str:
        """The run of ``labctl grade`` that it belongs to; empty where it is a person's own."""
        return self._label(labels.RUN)

    def _label(self, key: str) -> str:
        """Return a label from wherever it is left, but first from the record: that one can be replaced."""
        containers = (each.container for each in self.hosts)
        return next(
            (
                each.labels[key]
                for each in (self.volume, self.network, *containers)
                if each and key in each.labels
            ),
            "",
        )

    @property
    def created_at(self) -> datetime | None:
        """When its first container was made."""
        return min((each.container.created_at for each in self.hosts if each.container), default=None)

    @property
    def domains(self) -> tuple[str, ...]:
        """Its mail domains, sorted."""
        return tuple(sorted({each.domain for each in self.hosts if each.domain}))

    @property
    def names_by_address(self) -> dict[str, str]:
        """Its hosts' names, by each of their addresses in the lab."""
        return {address.partition("/")[0]: host.hostname for host in self.hosts for address in host.addresses}

    @property
    def published(self) -> bool:
        """Whether its ports were asked to be published on the engine's machine."""
        return any(labels.PUBLISHED in each.container.labels for each in self.hosts if each.container)

    @property
    def whole(self) -> bool:
        """Whether its network and every container that belongs to it are there and were started once."""
        return (
            self.network is not None
            and bool(self.hosts)
            and all(
                each.container is not None and each.container.state != ContainerState.CREATED
                for each in self.hosts
            )
        )

    def host(self, name: str) -> Host:
        """Return a host by its service's name or its FQDN.

        Raises:
            NoSuchHost: There is none.
        """
        for host in self.hosts:
            if name in {host.service, host.hostname}:
                return host
        known = ", ".join(f"{each.service} ({each.hostname})" for each in self.hosts)
        meant = near(name, (each for host in self.hosts for each in (host.service, host.hostname)))
        raise NoSuchHost(
            f"lab {self.name!r} has no host {name!r}; it has {known}{question(meant)}",
            hint="labctl status",
            detail={"near": meant},
        )

    def of_role(self, role: Role, domain: str | None = None) -> tuple[Host, ...]:
        """Return the hosts of a role, of one domain where one is named."""
        return tuple(each for each in self.hosts if each.role == role and domain in {None, each.domain})


def observe(engine: Engine, name: str) -> Instance:
    """Ask the engine for one lab; one that is not there has no network and no hosts."""
    return _find(engine, {labels.NAME: name}).get(name) or Instance(name, "", None, ())


def observe_all(engine: Engine, *, graded: bool = False) -> tuple[Instance, ...]:
    """Ask the engine for every lab of which anything is there, by name.

    Args:
        engine: The engine.
        graded: Whether those that a run of ``labctl grade`` has for itself are wanted too.
    """
    found = _find(engine, {labels.NAME: ""})
    return tuple(found[name] for name in sorted(found) if graded or not found[name].run)


def select(engine: Engine, name: str | None) -> Instance:
    """Find the running lab that a command is about.

    Args:
        engine: The engine.
        name: Its name, or None for the only one that runs.

    Raises:
        LabNotUp: There is none of that name, or none at all.
        UsageError: Several run and none is named, or the name is malformed.
    """
    if name is not None:
        found = observe(engine, valid_name(name))
        if found.exists:
            return found
        others = [each.name for each in observe_all(engine)]
        meant = near(name, others)
        raise LabNotUp(
            f"no lab {name!r} is up{question(meant)}",
            hint=f"labctl up --name {name}",
            detail={"running": others, "near": meant},
        )
    match observe_all(engine):
        case [only]:
            return only
        case []:
            raise LabNotUp("no lab is up", hint="labctl up", detail={"running": []})
        case several:
            names = [each.name for each in several]
            raise UsageError(
                f"{len(names)} labs are up ({', '.join(names)}): which one is meant?",
                hint=f"--name {names[0]}, or LABCTL_NAME={names[0]}",
                detail={"running": names},
            )


def refuse_other(there: Instance, lab: str) -> None:
    """Refuse to make a lab out of one of another kind, whose mail would be lost.

    Args:
        there: What has the name.
        lab: The id of the lab that is to have it.

    Raises:
        UsageError: It is a lab of another kind.
    """
    if there.exists and there.lab not in {"", lab}:
        raise UsageError(
            f"lab {there.name!r} is a {there.lab!r}, not a {lab!r}",
            hint=f"give another --name, or remove it: labctl down --name {there.name}",
        )


def accounts(engine: Engine, there: Instance) -> tuple[Account, ...]:
    """Return a lab's accounts: as recorded, else as its MDAs' files have them, running or not."""
    if there.record is not None:
        return there.record.accounts
    found: list[Account] = []
    for host in there.of_role(Role.MDA):
        if host.container is not None:
            with suppress(NoSuchObject):  # it was never given its files
                found.extend(accounts_in(engine.get_file(host.container.id, USERS_FILE)))
    return distinct(found)


def _find(engine: Engine, wanted: Mapping[str, str]) -> dict[str, Instance]:
    containers: dict[str, list[Container]] = {}
    for container in engine.containers(wanted):
        containers.setdefault(container.labels[labels.NAME], []).append(container)
    networks = {each.labels[labels.NAME]: each for each in engine.networks(wanted)}
    volumes: dict[str, list[Volume]] = {}
    for volume in engine.volumes(wanted):
        volumes.setdefault(volume.labels[labels.NAME], []).append(volume)
    return {
        name: _assemble(name, containers.get(name, []), networks.get(name), volumes.get(name, []))
        for name in {*containers, *networks, *volumes}
    }


def _assemble(
    name: str, containers: Sequence[Container], network: Network | None, volumes: Sequence[Volume]
) -> Instance:
    volume = next((each for each in volumes if faultrecord.FAULT not in each.labels), None)
    fault_volumes = [each for each in volumes if faultrecord.FAULT in each.labels]
    by_service = {each.labels.get(labels.SERVICE, each.name): each for each in containers}
    expected = _expected(network) if network is not None else {}
    services = [*expected, *sorted(set(by_service) - set(expected))]
    labelled = (*by_service.values(), network, *volumes)
    return Instance(
        name=name,
        lab=next((each.labels[labels.LAB] for each in labelled if each and labels.LAB in each.labels), ""),
        network=network,
        hosts=tuple(
            _host(service, by_service.get(service), expected.get(service, {})) for service in services
        ),
        record=record.of(volume) if volume is not None else None,
        volume=volume,
        fault_volumes=tuple(sorted(fault_volumes, key=lambda each: each.labels[faultrecord.FAULT])),
    )


def _expected(network: Network) -> dict[str, dict[str, str]]:
    """Read which hosts make a lab whole, as far as this version understands what was told."""
    try:
        told = json.loads(network.labels.get(labels.HOSTS, "{}"))
        return {service: {key: str(value) for key, value in marks.items()} for service, marks in told.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def observed(container: Container) -> Host:
    """Return the host that a container is."""
    return _host(container.labels.get(labels.SERVICE, container.name), container, container.labels)


def _host(service: str, container: Container | None, told: Mapping[str, str]) -> Host:
    """Return a host as its container's labels have it, or as the network's have it where that is missing."""
    known = container.labels if container is not None else told
    role = known.get(labels.ROLE, "")
    return Host(
        service=service,
        hostname=known.get(labels.HOSTNAME, service),
        role=Role(role) if role in set(Role) else None,
        domain=known.get(labels.DOMAIN),
        addresses=tuple(known.get(labels.ADDRESSES, "").split()),
        container=container,
    )
