"""``labctl status``: one lab as it is now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from labctl.contract.value import IpAddress, Port, When, Word
from labctl.lab import lock
from labctl.lab.mark.faultrecord import FAULT
from labctl.lab.name import valid_name
from labctl.lab.role import Role
from labctl.lab.running import instance, readiness
from labctl.lab.running.instance import HostState, LabState

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from labctl.engine.protocol import Engine
    from labctl.lab.account import Account
    from labctl.lab.running.instance import Host, Instance

Protocol = Literal["smtp", "submission", "imap", "pop3", "dns"]

_PROTOCOLS: Final[dict[Role, tuple[tuple[Protocol, int, str], ...]]] = {
    Role.DNS: (("dns", 53, "udp"),),
    Role.MTA: (("smtp", 25, "tcp"), ("submission", 587, "tcp")),
    Role.MDA: (("imap", 143, "tcp"), ("pop3", 110, "tcp")),
}


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host of a lab."""

    WHEN: ClassVar = When("role", Role.DNS, then={"domain": None})

    name: Word
    service: Word
    container: Word | None
    role: Role | None
    """None where the container is missing."""
    domain: Word | None
    """None for a resolver."""
    addresses: tuple[IpAddress, ...]
    """Without a prefix length."""
    state: HostState


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a protocol is spoken, seen from this machine."""

    service: Word
    protocol: Protocol
    host: Word
    port: Port
    tls: Literal["none", "starttls", "implicit"] = "none"


@dataclass(frozen=True, slots=True)
class Status:
    """One lab as it is now."""

    SCHEMA: ClassVar = "labctl/status/v1"

    name: Word
    lab: str
    """The lab's id; empty where it is absent."""
    state: LabState
    hosts: tuple[HostStatus, ...]
    endpoints: tuple[Endpoint, ...]
    """Where each protocol is spoken, seen from this machine."""
    accounts: tuple[Account, ...]
    faults: tuple[Word, ...] = ()
    """Names of those applied."""


def status(engine: Engine, name: str | None) -> Status:
    """Describe a lab in whatever state it is; one that is not there is ``absent``.

    Args:
        engine: The engine.
        name: The lab's name, or None for the only one that runs.

    Raises:
        UsageError: The name is malformed; or none is given and no lab or several are up.
    """
    there = instance.observe(engine, valid_name(name)) if name else instance.select(engine, None)
    return describe(engine, there, _states(there, there.hosts), busy=lock.is_held(engine, there.name))


def describe_ready(engine: Engine, there: Instance, but_for: Collection[str] = ()) -> Status:
    """Describe a lab whose daemons have all just answered, but for those that an applied fault affects.

    Args:
        engine: The engine.
        there: The lab.
        but_for: Further services that have not.
    """
    in_question = {*there.affected, *but_for}
    asked = [each for each in there.hosts if each.service in in_question]
    return describe(engine, there, _states(there, asked))


def describe(engine: Engine, there: Instance, states: tuple[HostState, ...], *, busy: bool = False) -> Status:
    """Describe a lab whose hosts' states are known; `busy` says that a labctl is at work on it."""
    return Status(
        name=there.name,
        lab=there.lab,
        state=_lab_state(there, states, busy=busy),
        hosts=tuple(
            HostStatus(
                name=host.hostname,
                service=host.service,
                container=host.container.name if host.container is not None else None,
                role=host.role,
                domain=host.domain,
                addresses=host.addresses,
                state=state,
            )
            for host, state in zip(there.hosts, states, strict=True)
        ),
        endpoints=tuple(endpoint for host in there.hosts if host.reachable for endpoint in _endpoints(host)),
        accounts=instance.accounts(engine, there),
        faults=tuple(volume.labels[FAULT] for volume in there.fault_volumes),
    )


def _states(there: Instance, in_question: Sequence[Host]) -> tuple[HostState, ...]:
    """Return the states of all hosts; only those in question are asked, and the others are ready."""
    with ThreadPoolExecutor(max_workers=max(len(in_question), 1)) as pool:
        asked = pool.map(lambda host: _probed(host, there), in_question)
        found = {host.service: state for host, state in zip(in_question, asked, strict=True)}
    return tuple(found.get(host.service, HostState.READY) for host in there.hosts)


def _probed(host: Host, there: Instance) -> HostState:
    if not host.running:
        return host.state
    if readiness.complaint(host, there.domains) is None:
        return HostState.READY
    return HostState.FAULTY if host.service in there.affected else HostState.STARTING


def _lab_state(there: Instance, states: tuple[HostState, ...], *, busy: bool) -> LabState:
    if not there.exists:
        return LabState.ABSENT
    if states and all(state == HostState.READY for state in states):
        return LabState.READY
    if busy and HostState.FAULTY not in states:
        return LabState.STARTING
    if states and all(state == HostState.STOPPED for state in states):
        return LabState.STOPPED
    return LabState.DEGRADED


def _endpoints(host: Host) -> list[Endpoint]:
    if host.role is None:
        return []
    return [
        Endpoint(host.service, protocol, *host.door(port, transport))
        for protocol, port, transport in _PROTOCOLS[host.role]
    ]
