"""A topology: the services of a Compose file, as far as labctl starts them.

A lab's own ``compose.yaml`` is laid over its topology: it changes hosts, or brings further ones. A second MTA
of beta.test, say, is the first with another name, other addresses and a ``main.cf`` of its own::

    services:
      mx2-beta:
        extends: {file: two-domains.yaml, service: mx-beta}
        hostname: mx2.beta.test
        environment: {LAB_ENGINE_ADDRESS: 198.18.0.7, LAB_ADDRESSES: 203.0.113.21/24 198.51.100.21/24}
        networks:
          lab: {ipv4_address: 198.18.0.7}
        configs:
          - {source: mx2-beta-main.cf, target: /etc/postfix/main.cf}
    configs:
      mx2-beta-main.cf: {file: mx2-beta/main.cf}

The zones that name it and the hosts that are to take mail from it have files that say so; a lab replaces
these in the same way. ``LAB_HOSTS`` and ``LAB_ENGINE_ADDRESS`` are worked out anew for all hosts. Of several
hosts of one role and domain the first is the domain's own: users submit there, and read there.

Such a file serves ``docker compose -f two-domains.yaml -f LAB/compose.yaml`` as well, if its files are named
as Compose looks for them, from the topology's directory (``../labs/LAB/mx2-beta/main.cf``), and if it gives
each host the longer ``LAB_HOSTS``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING, Final

from labctl.errors import quoted
from labctl.lab.blueprint import addresses, composefile
from labctl.lab.mark import labels
from labctl.lab.role import Role

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.lab.blueprint.composefile import Mapping

_TOP_KEYS: Final = {"name", "services", "networks", "configs"}
_SERVICE_KEYS: Final = {
    "image",
    "hostname",
    "labels",
    "environment",
    "networks",
    "configs",
    "cap_add",
    "cap_drop",
    "security_opt",
    "sysctls",
    "dns",
    "stop_grace_period",
    "logging",
    # Only for Compose's own users; labctl probes the protocols and orders the start itself.
    "healthcheck",
    "depends_on",
}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A service's name, which becomes a part of its container's."""

_DOMAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*")
"""A host's or a mail domain's name: what DNS can ask for as it is written."""

_SMALLEST_SUBNET: Final = 29

_NETWORK_KEYS: Final = {"driver", "driver_opts", "ipam"}
_NETWORK_OPTIONS: Final = {"com.docker.network.bridge.enable_ip_masquerade": "false"}
"""Nothing leaves a lab."""


_MODES: Final = 0o7777


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that a service's container holds."""

    target: str
    source: Path
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a topology."""

    name: str
    image: str
    hostname: str
    role: Role
    domain: str | None
    reload_signal: str
    place: int
    """The service's address, counted from the start of the network's subnet."""

    environment: dict[str, str] = field(default_factory=dict)
    files: tuple[ConfigFile, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    stop_timeout: int = 10
    log_options: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """The lab addresses, as the service's environment gives them to the entrypoint."""
        given = self.environment.get("LAB_ADDRESSES", "").split()
        return tuple(IPv4Interface(each).ip for each in given)


@dataclass(frozen=True, slots=True)
class Topology:
    """The services of a topology, and the size of network that they need."""

    name: str
    path: Path
    services: tuple[Service, ...]
    prefix_length: int

    @property
    def domains(self) -> tuple[str, ...]:
        """The mail domains, sorted."""
        return tuple(sorted({each.domain for each in self.services if each.domain is not None}))


def load(path: Path, overlay: Path | None = None) -> Topology:
    """Read a topology from a Compose file.

    Args:
        path: The topology's file.
        overlay: A file to lay over it.

    Raises:
        InvalidLabFile: With file and line of what is wrong or not supported.
    """
    content = composefile.extended(composefile.read(path), path.parent)
    if overlay is not None:
        upper = composefile.extended(composefile.read(overlay), path.parent)
        content = composefile.laid_over(content, upper)
    content.only(_TOP_KEYS, "the file")
    subnet, network = _network(content)
    sources = content.mapping("configs", "the file")
    configs = {name: _config_source(sources, name, path.parent) for name in sources}
    services = content.mapping("services", "the file")
    if not services:
        raise content.wrong("the file has no services", "services")
    for name in services:
        if not _NAME.fullmatch(name):
            raise services.wrong(f"service {quoted(name)}: expected letters, digits, dots and hyphens", name)
    found = tuple(
        _service(services.mapping(name, "services"), name, network, subnet, configs) for name in services
    )
    _distinct(services, found)
    return Topology(content.text("name", "the file", path.stem), path, found, subnet.prefixlen)


def _network(content: Mapping) -> tuple[IPv4Network, str]:
    networks = content.mapping("networks", "the file")
    if len(networks) != 1:
        raise content.wrong(f"a lab has exactly one network; this file has {len(networks)}", "networks")
    name = next(iter(networks))
    network = networks.mapping(name, "networks")
    network.only(_NETWORK_KEYS, f"network {name}")
    if network.text("driver", f"network {name}", "bridge") != "bridge":
        raise network.wrong(f"network {name}: only the driver bridge is supported", "driver")
    if dict(network.mapping("driver_opts", f"network {name}")) != _NETWORK_OPTIONS:
        raise network.wrong(f"network {name}: driver_opts has to be {_NETWORK_OPTIONS}", "driver_opts")
    ipam = network.mapping("ipam", f"network {name}")
    ipam.only({"config"}, f"network {name}: ipam")
    match ipam.get("config"):
        case [composefile.Mapping() as pool]:
            pool.only({"subnet", "gateway"}, f"network {name}: ipam config")
        case _:
            raise ipam.wrong(f"network {name}: expected one ipam config with a subnet", "config")
    try:
        subnet = IPv4Network(pool.text("subnet", f"network {name}"))
    except ValueError as exc:
        raise pool.wrong(f"network {name}: {exc}", "subnet") from exc
    if not addresses.POOL.prefixlen < subnet.prefixlen <= _SMALLEST_SUBNET:
        raise pool.wrong(f"network {name}: {subnet}: expected a prefix length from 16 to 29", "subnet")
    if pool.text("gateway", f"network {name}", str(subnet[1])) != str(subnet[1]):
        raise pool.wrong(f"network {name}: the gateway has to be {subnet[1]}", "gateway")
    return subnet, name


def _config_source(configs: Mapping, name: str, first: Path) -> Path:
    config = configs.mapping(name, "configs")
    config.only({"file"}, f"config {name}")
    return config.file("file", f"config {name}", first)


def _service(
    table: Mapping, name: str, network: str, subnet: IPv4Network, configs: dict[str, Path]
) -> Service:
    where = f"service {name}"
    table.only(_SERVICE_KEYS, where)
    marks = table.pairs("labels", where)
    try:
        role = Role(marks.pop(labels.ROLE, ""))
    except ValueError as exc:
        expected = ", ".join(Role)
        raise table.wrong(f"{where}: label {labels.ROLE}: expected one of {expected}", "labels") from exc
    reload_signal = marks.pop(labels.RELOAD, "HUP")
    domain = marks.pop(labels.DOMAIN, None)
    if domain is not None and not _DOMAIN.fullmatch(domain):
        raise table.wrong(f"{where}: label {labels.DOMAIN}: {quoted(domain)} is no domain", "labels")
    hostname = table.text("hostname", where)
    if not _DOMAIN.fullmatch(hostname):
        raise table.wrong(f"{where}: hostname {quoted(hostname)} is no domain", "hostname")
    if marks:
        raise table.wrong(f"{where}: label {quoted(min(marks))} is not supported", "labels")
    service = Service(
        name=name,
        image=table.text("image", where),
        hostname=hostname,
        role=role,
        domain=domain,
        reload_signal=reload_signal,
        place=_place(table, where, network, subnet),
        environment=table.pairs("environment", where),
        files=tuple(_config_file(table, each, where, configs) for each in table.sequence("configs", where)),
        cap_add=table.texts("cap_add", where),
        cap_drop=table.texts("cap_drop", where),
        security_opt=table.texts("security_opt", where),
        sysctls=table.pairs("sysctls", where),
        dns=table.texts("dns", where),
        stop_timeout=_seconds(table, where),
        log_options=_log_options(table, where),
    )
    try:
        if not service.addresses:
            raise table.wrong(f"{where}: LAB_ADDRESSES is missing", "environment")
    except ValueError as exc:
        raise table.wrong(f"{where}: LAB_ADDRESSES: {exc}", "environment") from exc
    return service


def _distinct(services: Mapping, found: tuple[Service, ...]) -> None:
    """Check that no two services answer to one name or address."""
    owners: dict[object, str] = {}
    for service in found:
        for key, mark in (
            ("hostname", service.hostname),
            ("networks", service.place),
            *(("environment", address) for address in service.addresses),
        ):
            if (owner := owners.setdefault(mark, service.name)) != service.name:
                what = "ipv4_address" if key == "networks" else mark
                table = services.mapping(service.name, "services")
                raise table.wrong(f"service {service.name}: {what} belongs to {owner} already", key)


def _place(table: Mapping, where: str, network: str, subnet: IPv4Network) -> int:
    networks = table.mapping("networks", where)
    networks.only({network}, f"{where}: networks")
    endpoint = networks.mapping(network, where)
    endpoint.only({"ipv4_address"}, f"{where}: network {network}")
    try:
        address = IPv4Address(endpoint.text("ipv4_address", f"{where}: network {network}"))
    except AddressValueError as exc:
        raise endpoint.wrong(f"{where}: {exc}", "ipv4_address") from exc
    if address not in subnet:
        raise endpoint.wrong(f"{where}: {address} is not in {subnet}", "ipv4_address")
    if address in {subnet[0], subnet[1], subnet[-1]}:
        raise endpoint.wrong(f"{where}: {address} is the network's own", "ipv4_address")
    return int(address) - int(subnet.network_address)


def _config_file(table: Mapping, each: object, where: str, configs: dict[str, Path]) -> ConfigFile:
    if not isinstance(each, composefile.Mapping):
        raise table.wrong(
            f"{where}: configs: {quoted(each)}, expected a mapping with source and target", "configs"
        )
    each.only({"source", "target", "mode"}, f"{where}: configs")
    source = each.text("source", where)
    if source not in configs:
        raise each.wrong(f"{where}: no config {quoted(source)} in this file", "source")
    mode = each.get("mode", 0o644)
    mode = int(mode, 8) if isinstance(mode, str) and re.fullmatch(r"0?[0-7]{3}", mode) else mode
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= _MODES:
        raise each.wrong(f"{where}: mode {quoted(mode)}, expected an octal number", "mode")
    target = each.text("target", where)
    if not target.startswith("/") or ".." in target.split("/"):
        raise each.wrong(f"{where}: target {quoted(target)}, expected an absolute path", "target")
    return ConfigFile(target, configs[source], mode)


def _log_options(table: Mapping, where: str) -> dict[str, str]:
    logging = table.mapping("logging", where)
    logging.only({"driver", "options"}, f"{where}: logging")
    if logging and logging.text("driver", where) != "json-file":
        raise logging.wrong(f"{where}: logging: labctl reads logs of the driver json-file only", "driver")
    return logging.pairs("options", f"{where}: logging")


def _seconds(table: Mapping, where: str) -> int:
    text = table.text("stop_grace_period", where, "10s")
    if not (said := re.fullmatch(r"(\d+)s", text)):
        raise table.wrong(
            f"{where}: stop_grace_period {quoted(text)}, expected seconds, as 2s", "stop_grace_period"
        )
    return int(said[1])
