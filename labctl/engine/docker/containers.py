"""Networks, volumes and containers of Docker Engine."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.docker.cgroup import counted
from labctl.engine.docker.connection import Connection, escaped, filters
from labctl.engine.logstream import STDERR, STDOUT, Frames, FrameStream, joined, moment
from labctl.engine.model import Container, ContainerState, ExecResult, Network, PublishedPort, Volume
from labctl.errors import EngineError, NoSuchObject, ServiceCommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labctl.engine.model import ContainerSpec, File, NetworkSpec

LOG_BOUND: Final = {"max-size": "32m", "max-file": "3"}
"""A flooded log costs its container at most this much disk."""

MOST_SAID: Final = 1 << 20
"""Bytes that a command may say whose time is bounded."""

_CHANGED_AGO: Final = 3600
"""Postfix pauses where a configuration file is younger than about two seconds."""

_CPU_PERIOD: Final = 100_000
"""Microseconds, of which a container gets so many; unlike ``NanoCpus`` it may get more than there are."""

_ENDPOINT_MAC_API: Final = (1, 44)
"""From this API on a MAC address belongs to the endpoint, before it to the container."""


class Containers(Connection):
    """The part of `labctl.engine.protocol.Engine` about networks, volumes and containers."""

    def networks(self, labels: Mapping[str, str]) -> tuple[Network, ...]:
        """See `Engine.networks`."""
        found = self._ask("list of networks", "GET", "/networks", filters=filters(labels))
        return tuple(
            Network(
                id=each["Id"],
                name=each["Name"],
                subnets=tuple(
                    IPv4Network(pool["Subnet"], strict=False)
                    for pool in (each["IPAM"]["Config"] or ())
                    if "." in pool.get("Subnet", "")
                ),
                labels=each["Labels"] or {},
            )
            for each in found
        )

    def create_network(self, spec: NetworkSpec) -> str:
        """See `Engine.create_network`."""
        wanted = {
            "Name": spec.name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": str(spec.subnet), "Gateway": str(spec.gateway)}]},
            "Options": {"com.docker.network.bridge.enable_ip_masquerade": "false"},
            "Labels": dict(spec.labels),
        }
        created = self._ask(f"network {spec.name} with {spec.subnet}", "POST", "/networks/create", wanted)
        return str(created["Id"])

    def endpoints(self, network: str) -> int:
        """See `Engine.endpoints`."""
        return len(self._ask(f"network {network}", "GET", f"/networks/{escaped(network)}")["Containers"])

    def disconnect(self, network: str, container: str) -> None:
        """See `Engine.disconnect`."""
        wanted = {"Container": container, "Force": True}
        with suppress(NoSuchObject):
            try:
                self._ask(
                    f"{container} off network {network}",
                    "POST",
                    f"/networks/{escaped(network)}/disconnect",
                    wanted,
                )
            except EngineError as exc:
                if "is not connected" not in exc.message:
                    raise

    def remove_network(self, name: str) -> None:
        """See `Engine.remove_network`."""
        doing, path = f"removal of network {name}", f"/networks/{escaped(name)}"
        with suppress(NoSuchObject):
            try:
                self._ask(doing, "DELETE", path)
            except EngineError as exc:
                if "active endpoints" not in exc.message:
                    raise
                # Somebody's container, or one that has gone and that the engine still counts (moby #43286).
                for container in self._ask(doing, "GET", path)["Containers"]:
                    self.disconnect(name, container)
                self._ask(doing, "DELETE", path)

    def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        """See `Engine.volumes`."""
        found = self._ask("list of volumes", "GET", "/volumes", filters=filters(labels))
        return tuple(Volume(each["Name"], each["Labels"] or {}) for each in found["Volumes"] or ())

    def create_volume(self, volume: Volume) -> None:
        """See `Engine.create_volume`."""
        wanted = {"Name": volume.name, "Labels": dict(volume.labels)}
        self._ask(f"volume {volume.name}", "POST", "/volumes/create", wanted)

    def remove_volume(self, name: str) -> None:
        """See `Engine.remove_volume`."""
        with suppress(NoSuchObject):
            self._ask(f"removal of volume {name}", "DELETE", f"/volumes/{escaped(name)}")

    def containers(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """See `Engine.containers`."""
        found = self._ask("list of containers", "GET", "/containers/json", all=1, filters=filters(labels))
        return tuple(
            Container(
                id=each["Id"],
                name=(each["Names"] or [each["Id"]])[0].lstrip("/"),  # one that is being removed has none
                state=ContainerState(each["State"]),
                image_id=each["ImageID"],
                labels=each["Labels"] or {},
                created_at=datetime.fromtimestamp(each["Created"], UTC),
                address=_address(each["NetworkSettings"]["Networks"]),
                published=tuple(
                    PublishedPort(port["PrivatePort"], port["Type"], port["PublicPort"])
                    for port in each["Ports"]
                    if "PublicPort" in port
                ),
            )
            for each in found
        )

    def inspect(self, name: str) -> Container:
        """See `Engine.inspect`."""
        each = self._ask(f"container {name}", "GET", f"/containers/{escaped(name)}/json")
        state = each["State"]
        kernel = counted(each["Id"], state.get("Pid", 0))
        return Container(
            id=each["Id"],
            name=each["Name"].lstrip("/"),
            state=ContainerState(state["Status"]),
            image_id=each["Image"],
            labels=each["Config"]["Labels"] or {},
            created_at=moment(each["Created"]),
            address=_address(each["NetworkSettings"]["Networks"]),
            published=_published(each["NetworkSettings"].get("Ports") or {}),
            exit_code=state["ExitCode"] if state["Status"] in {"exited", "dead"} else None,
            oom_killed=bool(kernel.killed) or state.get("OOMKilled"),
            forks_refused=None if kernel.refused is None else kernel.refused > 0,
        )

    def create_container(self, spec: ContainerSpec) -> str:
        """See `Engine.create_container`."""
        wanted = _wanted(spec, mac_on_endpoint=_numbers(self.api_version) >= _ENDPOINT_MAC_API)
        doing = f"container {spec.name} of {spec.image}"
        created = self._ask(doing, "POST", "/containers/create", wanted, name=spec.name)
        return str(created["Id"])

    def start(self, name: str) -> None:
        """See `Engine.start`."""
        self._ask(f"start of {name}", "POST", f"/containers/{escaped(name)}/start")

    def stop(self, name: str, *, timeout: int) -> None:
        """See `Engine.stop`."""
        self._ask(f"stop of {name}", "POST", f"/containers/{escaped(name)}/stop", t=timeout)

    def pause(self, name: str) -> None:
        """See `Engine.pause`."""
        self._ask(f"pause of {name}", "POST", f"/containers/{escaped(name)}/pause")

    def unpause(self, name: str) -> None:
        """See `Engine.unpause`."""
        self._ask(f"unpause of {name}", "POST", f"/containers/{escaped(name)}/unpause")

    def signal(self, name: str, signal: str) -> None:
        """See `Engine.signal`."""
        self._ask(f"signal {signal} to {name}", "POST", f"/containers/{escaped(name)}/kill", signal=signal)

    def remove_container(self, name: str) -> None:
        """See `Engine.remove_container`."""
        with suppress(NoSuchObject):
            try:
                self._ask(f"removal of {name}", "DELETE", f"/containers/{escaped(name)}", force=1, v=1)
            except EngineError as exc:
                if "already in progress" not in exc.message:  # somebody else removes it: the same outcome
                    raise

    def put_files(self, name: str, files: Sequence[File]) -> None:
        """See `Engine.put_files`."""
        self._ask(f"files for {name}", "PUT", f"/containers/{escaped(name)}/archive", _tar(files), path="/")

    def get_file(self, name: str, path: str) -> bytes:
        """See `Engine.get_file`."""
        archived = self._fetch(f"{path} of {name}", f"/containers/{escaped(name)}/archive", path=path)
        with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isreg() else None
            if content is None:
                raise NoSuchObject(f"{path} of {name} is no regular file", hint=f"labctl shell {name}")
            return content.read()

    def execute(
        self, name: str, argv: Sequence[str], *, user: str = "", within: float | None = None
    ) -> ExecResult:
        """See `Engine.execute`."""
        doing = f"{argv[0]} in {name}"
        wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv), "User": user}
        exec_id = self._ask(doing, "POST", f"/containers/{escaped(name)}/exec", wanted)["Id"]
        frames = Frames(self._stream(doing, "POST", f"/exec/{exec_id}/start", {"Detach": False}))
        said: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
        length = 0
        with closing(frames), _closed_after(within, frames):
            for stream, content in frames:
                said[stream].append(content)
                length += len(content)
                if within is not None and length > MOST_SAID:
                    break
        exit_code = self._ask(doing, "GET", f"/exec/{exec_id}/json")["ExitCode"]
        if exit_code is None:
            raise ServiceCommandFailed(
                f"{doing} came to no end: {length} bytes in {within} s", hint="labctl status"
            )
        return ExecResult(exit_code, b"".join(said[STDOUT]), b"".join(said[STDERR]))

    def attach(self, name: str, argv: Sequence[str]) -> int:
        """See `Engine.attach`."""
        from labctl.engine.docker.sdk import translated  # noqa: PLC0415  # as `Connection.sdk`
        from labctl.engine.terminal import converse  # noqa: PLC0415  # needs a terminal's modules

        client = self.sdk.client()
        with translated(f"{argv[0]} in {name}"):
            exec_id = client.exec_create(name, list(argv), tty=True, stdin=True)["Id"]
            stream = client.exec_start(exec_id, tty=True, socket=True)
            converse(
                getattr(stream, "_sock", stream),
                resize=lambda rows, columns: client.exec_resize(exec_id, height=rows, width=columns),
            )
            return int(client.exec_inspect(exec_id)["ExitCode"] or 0)

    def logs(
        self, name: str, *, since: datetime | None = None, tail: int | None = None, follow: bool = False
    ) -> FrameStream:
        """See `Engine.logs`."""
        query = _log_query(since, tail) | {"follow": int(follow)}
        stream = self._stream(f"log of {name}", "GET", f"/containers/{escaped(name)}/logs", **query)
        return FrameStream(Frames(stream))

    def read_log(self, name: str, *, since: datetime | None = None, tail: int | None = None) -> bytes:
        """See `Engine.read_log`."""
        path = f"/containers/{escaped(name)}/logs"
        return joined(self._blob(f"log of {name}", path, **_log_query(since, tail)))

    def log_files(self, name: str) -> tuple[Path, ...]:
        """See `Engine.log_files`; they are those of the driver ``json-file``."""
        each = self._ask(f"container {name}", "GET", f"/containers/{escaped(name)}/json")
        ours = each["HostConfig"]["LogConfig"]["Type"] == "json-file" and each.get("LogPath")
        if not ours or not self.endpoint.url.startswith("unix:"):
            return ()
        newest = Path(ours)
        try:
            older = [path for path in newest.parent.iterdir() if path.name.startswith(f"{newest.name}.")]
            older.sort(key=lambda path: int(path.suffix[1:]), reverse=True)
        except (OSError, ValueError):  # nothing of this user's, or compressed ones
            return ()
        found = (*older, newest)
        return found if all(os.access(path, os.R_OK) for path in found) else ()


@contextmanager
def _closed_after(seconds: float | None, frames: Frames) -> Iterator[None]:
    """End what is being read when a block takes longer."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, frames.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _log_query(since: datetime | None, tail: int | None) -> dict[str, Any]:
    query = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": "all" if tail is None else tail}
    return query if since is None else query | {"since": f"{since.timestamp():.6f}"}


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


def _tar(files: Sequence[File]) -> bytes:
    buffer = io.BytesIO()
    changed = int(time.time()) - _CHANGED_AGO
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size = len(file.content)
            member.mode = file.mode
            member.mtime = changed
            archive.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()
