"""Networks, volumes and containers of Docker Engine."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, Final, TypeVar

from labctl.engine.docker.cgroup import counted
from labctl.engine.docker.connection import Connection, escaped, filters, id_in, labels_in, text
from labctl.engine.logstream import moment
from labctl.engine.model import Container, ContainerState, Network, PublishedPort, Volume
from labctl.engine.protocol import carries
from labctl.errors import EngineError, NoSuchObject
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labctl.engine.model import ContainerSpec, NetworkSpec

T = TypeVar("T")
Labelled = TypeVar("Labelled", Network, Volume, Container)

LOG_BOUND: Final = {"max-size": "32m", "max-file": "3"}
"""A flooded log costs its container at most this much disk."""

_CPU_PERIOD: Final = 100_000
"""Microseconds, of which a container gets so many; unlike ``NanoCpus`` it may get more than there are."""

_REMOVED_WITHIN: Final = 10.0
"""Seconds for a removal that is under way already."""

_ENDPOINT_MAC_API: Final = (1, 44)
"""From this API on a MAC address belongs to the endpoint, before it to the container."""


class Containers(Connection):
    """The part of `labctl.engine.protocol.Engine` about networks, volumes and containers."""

    def networks(self, labels: Mapping[str, str]) -> tuple[Network, ...]:
        found = self._ask("list of networks", "GET /networks", read=_each(_network), filters=filters(labels))
        return _carrying(labels, found)

    def create_network(self, spec: NetworkSpec) -> str:
        wanted = {
            "Name": spec.name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": str(spec.subnet), "Gateway": str(spec.gateway)}]},
            "Options": {"com.docker.network.bridge.enable_ip_masquerade": "false"},
            "Labels": dict(spec.labels),
        }
        doing = f"network {spec.name} with {spec.subnet}"
        return self._ask(doing, "POST /networks/create", wanted, read=id_in)

    def endpoints(self, network: str) -> int:
        return len(self._on(f"network {network}", network))

    def disconnect(self, network: str, container: str) -> None:
        asked = f"POST /networks/{escaped(network)}/disconnect"
        wanted = {"Container": container, "Force": True}
        with suppress(NoSuchObject):
            try:
                self._order(f"{container} off network {network}", asked, wanted)
            except EngineError as exc:
                # One that somebody removes takes itself off.
                if not any(each in exc.message for each in ("is not connected", "marked for removal")):
                    raise

    def remove_network(self, name: str) -> None:
        doing, removal = f"removal of network {name}", f"DELETE /networks/{escaped(name)}"
        with suppress(NoSuchObject):
            try:
                self._order(doing, removal)
            except EngineError as exc:
                if "active endpoints" not in exc.message:
                    raise
                # Somebody's container, or one that has gone and that the engine still counts (moby #43286).
                for container in self._on(doing, name):
                    self.disconnect(name, container)
                self._order(doing, removal)

    def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        found = self._ask("list of volumes", "GET /volumes", read=_volumes, filters=filters(labels))
        return _carrying(labels, found)

    def create_volume(self, volume: Volume) -> None:
        wanted = {"Name": volume.name, "Labels": dict(volume.labels)}
        self._order(f"volume {volume.name}", "POST /volumes/create", wanted)

    def remove_volume(self, name: str) -> None:
        with suppress(NoSuchObject):
            self._order(f"removal of volume {name}", f"DELETE /volumes/{escaped(name)}")

    def containers(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        found = self._ask(
            "list of containers", "GET /containers/json", read=_each(_listed), all=1, filters=filters(labels)
        )
        return _carrying(labels, found)

    def inspect(self, name: str) -> Container:
        return self._ask(f"container {name}", f"GET /containers/{escaped(name)}/json", read=_inspected)

    def create_container(self, spec: ContainerSpec) -> str:
        wanted = _wanted(spec, mac_on_endpoint=_numbers(self.api_version) >= _ENDPOINT_MAC_API)
        doing = f"container {spec.name} of {spec.image}"
        return self._ask(doing, "POST /containers/create", wanted, read=id_in, name=spec.name)

    def start(self, name: str) -> None:
        self._order(f"start of {name}", f"POST /containers/{escaped(name)}/start")

    def stop(self, name: str, *, timeout: int) -> None:
        asked = f"POST /containers/{escaped(name)}/stop"
        self._order(f"stop of {name}", asked, takes=timeout, t=timeout)

    def pause(self, name: str) -> None:
        self._order(f"pause of {name}", f"POST /containers/{escaped(name)}/pause")

    def unpause(self, name: str) -> None:
        self._order(f"unpause of {name}", f"POST /containers/{escaped(name)}/unpause")

    def signal(self, name: str, signal: str) -> None:
        self._order(f"signal {signal} to {name}", f"POST /containers/{escaped(name)}/kill", signal=signal)

    def remove_container(self, name: str) -> None:
        with suppress(NoSuchObject):
            try:
                self._order(f"removal of {name}", f"DELETE /containers/{escaped(name)}", force=1, v=1)
            except EngineError as exc:
                if "already in progress" not in exc.message:
                    raise
                # Somebody else removes it: the same outcome, once inspect says NoSuchObject.
                eventually(lambda: self.inspect(name) and None, within=_REMOVED_WITHIN)

    def _on(self, doing: str, network: str) -> tuple[str, ...]:
        asked = f"GET /networks/{escaped(network)}"
        return self._ask(doing, asked, read=lambda said: tuple({**said["Containers"]}))


def _each(read: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Return what reads a list of what one function reads."""
    return lambda said: tuple(read(each) for each in _list(said))


def _list(said: Any) -> list[Any]:
    if not isinstance(said, list):
        raise TypeError(f"a {type(said).__name__} instead of a list")
    return said


def _carrying(labels: Mapping[str, str], found: Sequence[Labelled]) -> tuple[Labelled, ...]:
    """Leave out what carries other labels than were asked for, as an engine may that knows no filter."""
    return tuple(each for each in found if carries(each.labels, labels))


def _network(each: Any) -> Network:
    return Network(
        id=text(each["Id"]),
        name=text(each["Name"]),
        subnets=tuple(
            IPv4Network(pool["Subnet"], strict=False)
            for pool in (each["IPAM"]["Config"] or ())
            if "." in pool.get("Subnet", "")
        ),
        labels=labels_in(each["Labels"]),
    )


def _volumes(said: Any) -> tuple[Volume, ...]:
    return tuple(
        Volume(text(each["Name"]), labels_in(each["Labels"])) for each in _list(said["Volumes"] or [])
    )


def _listed(each: Any) -> Container:
    return Container(
        id=text(each["Id"]),
        # One that is being removed has no name.
        name=text((each["Names"] or [each["Id"]])[0]).lstrip("/"),
        state=ContainerState(each["State"]),
        image_id=text(each["ImageID"]),
        labels=labels_in(each["Labels"]),
        created_at=datetime.fromtimestamp(each["Created"], UTC),
        address=_address(each["NetworkSettings"]["Networks"]),
        published=tuple(
            PublishedPort(int(port["PrivatePort"]), text(port["Type"]), int(port["PublicPort"]))
            for port in each["Ports"]
            if "PublicPort" in port
        ),
    )


def _started(said: Any) -> datetime | None:
    """Read when a container was started; of one that never was, the engine tells the year 1."""
    return None if not said or text(said).startswith("0001-") else moment(said)


def _inspected(each: Any) -> Container:
    state = each["State"]
    kernel = counted(text(each["Id"]), int(state.get("Pid", 0)))
    return Container(
        id=each["Id"],
        name=text(each["Name"]).lstrip("/"),
        state=ContainerState(state["Status"]),
        image_id=text(each["Image"]),
        labels=labels_in(each["Config"]["Labels"]),
        created_at=moment(each["Created"]),
        address=_address(each["NetworkSettings"]["Networks"]),
        published=_published(each["NetworkSettings"].get("Ports") or {}),
        exit_code=int(state["ExitCode"]) if state["Status"] in {"exited", "dead"} else None,
        started_at=_started(state.get("StartedAt")),
        oom_killed=bool(kernel.killed) or state.get("OOMKilled"),
        forks_refused=None if kernel.refused is None else kernel.refused > 0,
    )


def _wanted(spec: ContainerSpec, *, mac_on_endpoint: bool) -> dict[str, Any]:
    """Return a container as the API wants it described."""
    ports = {f"{port.port}/{port.protocol}": port.host_port for port in spec.published}
    endpoint: dict[str, Any] = {"IPAMConfig": {"IPv4Address": str(spec.address)}}
    wanted: dict[str, Any] = {
        "Image": spec.image,
        "Hostname": spec.hostname,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": dict(spec.labels),
        "Cmd": list(spec.command) or None,
        "ExposedPorts": {port: {} for port in ports},
        "Healthcheck": {"Test": ["NONE"]},  # labctl asks the protocols itself
        "StopTimeout": spec.stop_timeout,
        "HostConfig": {
            "NetworkMode": spec.network,
            "CapAdd": list(spec.cap_add),
            "CapDrop": list(spec.cap_drop),
            "SecurityOpt": list(spec.security_opt),
            "Sysctls": dict(spec.sysctls),
            "Dns": list(spec.dns),
            "Memory": spec.memory or 0,
            "MemorySwap": spec.memory or 0,
            "PidsLimit": spec.pids_limit,
            "CpuPeriod": _CPU_PERIOD if spec.cpus else 0,
            "CpuQuota": round((spec.cpus or 0) * _CPU_PERIOD),
            "Ulimits": [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in spec.ulimits.items()],
            "LogConfig": {"Type": "json-file", "Config": {**LOG_BOUND, **spec.log_options}},
            "PortBindings": {
                port: [{"HostIp": "127.0.0.1", "HostPort": str(host_port or "")}]
                for port, host_port in ports.items()
            },
        },
        "NetworkingConfig": {"EndpointsConfig": {spec.network: endpoint}},
    }
    (endpoint if mac_on_endpoint else wanted)["MacAddress"] = spec.mac_address
    return wanted


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _address(endpoints: Mapping[str, Any]) -> IPv4Address | None:
    for endpoint in endpoints.values():
        wanted = (endpoint.get("IPAMConfig") or {}).get("IPv4Address") or endpoint.get("IPAddress")
        if wanted:
            return IPv4Address(wanted)
    return None


def _published(ports: Mapping[str, Any]) -> tuple[PublishedPort, ...]:
    return tuple(
        PublishedPort(int(inside.partition("/")[0]), inside.partition("/")[2], int(binding["HostPort"]))
        for inside, bindings in ports.items()
        for binding in bindings or ()
    )
