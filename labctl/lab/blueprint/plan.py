"""The plan of a lab: every object that should be there, exactly, before the engine is asked for anything."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from labctl import plainfile, resources
from labctl.engine.model import ContainerSpec, File, NetworkSpec, PublishedPort
from labctl.errors import InvalidLabFile, quoted
from labctl.lab.account import USERS_FILE, Account, accounts_in, distinct
from labctl.lab.blueprint import addresses, definition, topology
from labctl.lab.blueprint.maincf import MAIN_CF, with_settings
from labctl.lab.blueprint.textfile import wrong_at
from labctl.lab.mark import labels
from labctl.lab.mark.record import Record
from labctl.lab.name import object_name
from labctl.lab.role import Role
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network

    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.blueprint.limits import Limits
    from labctl.lab.blueprint.topology import Service, Topology

PORTS: Final[dict[Role, tuple[PublishedPort, ...]]] = {
    Role.MTA: (PublishedPort(25), PublishedPort(587)),
    Role.MDA: (PublishedPort(143), PublishedPort(110)),
    Role.DNS: (PublishedPort(53, "udp"), PublishedPort(53, "tcp")),
}
"""The ports that people and programs outside a lab talk to."""

_YOUNGER: Final = frozenset({"cpus", "ulimits"})
"""What containers of earlier versions had not: where it is not set, they are as they should be."""

_MAILBOXES: Final = "/etc/postfix/mailboxes"


@dataclass(frozen=True, slots=True)
class PlannedHost:
    """One host as it should be."""

    service: Service
    container: ContainerSpec
    files: tuple[File, ...]

    @property
    def manifest(self) -> dict[str, str]:
        """Each file's path and fingerprint."""
        return {file.path: fingerprint(file.content, file.mode) for file in self.files}


@dataclass(frozen=True, slots=True)
class Plan:
    """One lab as it should be, on one subnet."""

    name: str
    lab: LabDefinition
    topology: Topology
    network: NetworkSpec
    hosts: tuple[PlannedHost, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """What will be recorded of it."""
        users = (file.content for host in self.hosts for file in host.files if file.path == USERS_FILE)
        return Record(
            files={host.service.name: host.manifest for host in self.hosts},
            accounts=distinct(account for content in users for account in accounts_in(content)),
            labels=self.labels,
        )

    def host(self, service: str) -> PlannedHost:
        """Return the host of a service."""
        return next(each for each in self.hosts if each.service.name == service)


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes the plan of a lab for whatever subnet it gets.

    Args:
        name: The instance's name.
        lab: Its definition.
        topology: Its topology.
        images: The tag to use for each image that the topology names.
        publish: Whether ports are published on 127.0.0.1.
        handed_in: Contents that replace files of hosts: by service and path in the container.
        limits: What each container may use; all there is where it is None.
        labels: More labels for the network and every container, which make no other lab of it.
    """

    name: str
    lab: LabDefinition
    topology: Topology
    images: Mapping[str, str]
    publish: bool = False
    handed_in: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    limits: Limits | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def on(self, subnet: IPv4Network) -> Plan:
        """Return the plan on this subnet."""
        return Plan(
            name=self.name,
            lab=self.lab,
            topology=self.topology,
            network=self._network(subnet),
            hosts=tuple(self._host(service, subnet) for service in self.topology.services),
            labels=self.labels,
        )

    def _network(self, subnet: IPv4Network) -> NetworkSpec:
        spec = NetworkSpec(
            name=object_name(self.name),
            subnet=subnet,
            gateway=subnet[1],
            labels={
                labels.NAME: self.name,
                labels.LAB: self.lab.id,
                labels.HOSTS: json.dumps({each.name: _host_labels(each) for each in self.topology.services}),
                labels.COMPOSE_PROJECT: object_name(self.name),
                labels.COMPOSE_NETWORK: "lab",
            },
        )
        # Where the files lie is told, but a lab that was moved is the same lab: no part of the hash.
        told = {labels.CONFIG: _config_hash(spec), labels.DIRECTORY: str(self.lab.directory)}
        return replace(spec, labels={**spec.labels, **told, **self.labels})

    def _host(self, service: Service, subnet: IPv4Network) -> PlannedHost:
        address = subnet[service.place]
        spec = ContainerSpec(
            name=f"{object_name(self.name)}-{service.name}",
            image=self.images.get(service.image, service.image),
            hostname=service.hostname,
            network=object_name(self.name),
            address=address,
            mac_address=addresses.mac_address(address),
            environment={
                **service.environment,
                "LAB_ENGINE_ADDRESS": str(address),
                "LAB_HOSTS": " ".join(str(each) for each in self._lab_addresses()),
            },
            labels={
                labels.NAME: self.name,
                labels.LAB: self.lab.id,
                **_host_labels(service),
                **({labels.PUBLISHED: "127.0.0.1"} if self.publish else {}),
                labels.COMPOSE_PROJECT: object_name(self.name),
                labels.COMPOSE_SERVICE: service.name,
                labels.COMPOSE_NUMBER: "1",
                labels.COMPOSE_ONEOFF: "False",
            },
            cap_add=service.cap_add,
            cap_drop=service.cap_drop,
            security_opt=service.security_opt,
            sysctls=service.sysctls,
            dns=service.dns,
            published=PORTS[service.role] if self.publish else (),
            stop_timeout=service.stop_timeout,
            log_options=service.log_options,
            **self._bounds(),
        )
        config = _config_hash(spec)
        told = {
            labels.CONFIG: config,
            labels.COMPOSE_HASH: config,
            labels.COMPOSE_FILES: str(self.topology.path),
            **self.labels,
        }
        spec = replace(spec, labels={**spec.labels, **told})
        return PlannedHost(service, spec, self._files(service))

    def _bounds(self) -> dict[str, Any]:
        limits = self.limits
        if limits is None:
            return {}
        return {
            "memory": limits.memory,
            "cpus": limits.cpus,
            "pids_limit": limits.pids,
            "ulimits": limits.ulimits,
        }

    def _lab_addresses(self) -> tuple[IPv4Address, ...]:
        return tuple(each for service in self.topology.services for each in service.addresses)

    def _files(self, service: Service) -> tuple[File, ...]:
        handed_in = {key: self._timed(key[1], content) for key, content in self.handed_in.items()}
        found = []
        for file in service.files:
            content = handed_in.pop((service.name, file.target), None)
            if content is None:
                content = self._fitted(service, file.target, _content(file.source))
            found.append(File(file.target, content, file.mode))
        found.extend(
            File(target, content) for (owner, target), content in handed_in.items() if owner == service.name
        )
        return tuple(found)

    def _fitted(self, service: Service, target: str, content: bytes) -> bytes:
        """Fit a file of the topology to the lab: its clock and its further accounts."""
        match target:
            case _ if target == MAIN_CF:
                return self._timed(target, content)
            case _ if target == USERS_FILE:
                lines = [each.line() for each in self._accounts_of(service)]
            case _ if target == _MAILBOXES:
                lines = [f"{each.address} OK\n" for each in self._accounts_of(service)]
            case _:
                return content
        end = b"" if content.endswith(b"\n") or not content else b"\n"
        return content + end + "".join(lines).encode()

    def _timed(self, target: str, content: bytes) -> bytes:
        """Set the lab's clock in a main.cf, a student's too: nobody waits for hours to see a retry."""
        if target != MAIN_CF or not self.lab.clock:
            return content
        return with_settings(content, {name: pair.lab for name, pair in self.lab.clock.items()})

    def _accounts_of(self, service: Service) -> list[Account]:
        return [each for each in self.lab.accounts if each.domain == service.domain]


def make_planner(
    name: str,
    lab: LabDefinition,
    *,
    images: Mapping[str, str],
    publish: bool = False,
    handed_in: Mapping[tuple[str, str], bytes] | None = None,
    limits: Limits | None = None,
    labels: Mapping[str, str] | None = None,
) -> Planner:
    """Read a lab's topology and make its planner.

    Raises:
        InvalidLabFile: The topology does not exist, is wrong, or lacks what the definition names.
    """
    path = resources.compose_dir() / f"{lab.topology}.yaml"
    if not path.is_file():
        known = sorted(each.stem for each in resources.compose_dir().glob("*.yaml"))
        message = f"no topology {lab.topology!r}; there are: {', '.join(known)}"
        raise _wrong(lab, message + question(near(lab.topology, known)), "topology")
    overlay = lab.directory / "compose.yaml"
    found = topology.load(path, overlay if overlay.exists() or overlay.is_symlink() else None)
    _fits(lab, found)
    return Planner(name, lab, found, images, publish, handed_in or {}, limits, labels or {})


def _fits(lab: LabDefinition, found: Topology) -> None:
    services = {each.name for each in found.services}
    for editable in lab.editable:
        if editable.service and editable.service not in services:
            service = quoted(editable.service)
            message = f"[[editable]] {editable.path}: no service {service} in {lab.topology!r}"
            raise _wrong(lab, message, editable.service, "service")
    for account in lab.accounts:
        if account.domain not in found.domains:
            message = f"account {account.address}: the domains here are {', '.join(found.domains)}"
            raise _wrong(lab, message, account.address, "accounts")


def _wrong(lab: LabDefinition, message: str, *words: str) -> InvalidLabFile:
    return wrong_at(lab.directory / definition.FILE_NAME, message, *words)


def _host_labels(service: Service) -> dict[str, str]:
    """Return the labels that tell what a host is, on its container and, lest that be lost, on the network."""
    return {
        labels.SERVICE: service.name,
        labels.HOSTNAME: service.hostname,
        labels.ROLE: service.role.value,
        **({labels.DOMAIN: service.domain} if service.domain else {}),
        labels.ADDRESSES: " ".join(str(each) for each in service.addresses),
        labels.RELOAD: service.reload_signal,
    }


def _content(source: Any) -> bytes:
    try:
        return plainfile.content(source, plainfile.LARGEST_TEXT)
    except OSError as exc:
        raise InvalidLabFile(f"can't be read: {exc}", path=source, line=None, hint="labctl doctor") from exc


def fingerprint(content: bytes, mode: int) -> str:
    """Return what tells one file from another: as sha256sum and stat write it inside a container."""
    return f"{hashlib.sha256(content).hexdigest()} {mode:o}"


def _config_hash(spec: NetworkSpec | ContainerSpec) -> str:
    told = {key: value for key, value in asdict(spec).items() if value or key not in _YOUNGER}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
