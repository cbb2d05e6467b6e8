"""Networks, volumes and containers of Docker Engine."""

from __future__ import annotations

import io
import tarfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, Final

from docker.types import IPAMConfig, IPAMPool, LogConfig
from docker.utils import version_lt

from labctl.engine.logstream import FrameStream, moment
from labctl.engine.model import Container, ContainerState, ExecResult, Network, PublishedPort, Volume
from labctl.engine.sdk.connection import Connection, label_filter, translated
from labctl.errors import EngineError, NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labctl.engine.model import ContainerSpec, File, NetworkSpec

LOG_BOUND: Final = {"max-size": "32m", "max-file": "3"}
"""A flooded log costs its container at most this much disk."""

_CHANGED_AGO: Final = 3600
"""Postfix pauses where a configuration file is younger than about two seconds."""

_ENDPOINT_MAC_API: Final = "1.44"
"""From this API on a MAC address belongs to the endpoint, before it to the container."""


class Containers(Connection):
    """The part of `labctl.engine.protocol.Engine` about networks, volumes and containers."""

    def networks(self, labels: Mapping[str, str]) -> tuple[Network, ...]:
        """See `Engine.networks`."""
        with translated("list of networks"):
            found = self.client().networks(filters=label_filter(labels))
        return tuple(
            Network(
                id=each["Id"],
                name=each["Name"],
                subnets=tuple(
                    IPv4Network(pool["Subnet"])
                    for pool in (each["IPAM"]["Config"] or ())
                    if "." in pool.get("Subnet", "")
                ),
                labels=each["Labels"] or {},
            )
            for each in found
        )

    def create_network(self, spec: NetworkSpec) -> str:
        """See `Engine.create_network`."""
        pool = IPAMPool(subnet=str(spec.subnet), gateway=str(spec.gateway))
        with translated(f"network {spec.name} with {spec.subnet}"):
            created = self.client().create_network(
                spec.name,
                driver="bridge",
                ipam=IPAMConfig(pool_configs=[pool]),
                labels=dict(spec.labels),
                check_duplicate=True,
                options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
            )
        return str(created["Id"])

    def remove_network(self, name: str) -> None:
        """See `Engine.remove_network`."""
        doing = f"removal of network {name}"
        with suppress(NoSuchObject):
            try:
                with translated(doing):
                    self.client().remove_network(name)
            except EngineError as exc:
                if "active endpoints" not in exc.message:
                    raise
                # Somebody's container, or one that has gone and that the engine still counts (moby #43286).
                with translated(doing):
                    for container in self.client().inspect_network(name)["Containers"]:
                        self.client().disconnect_container_from_network(container, name, force=True)
                    self.client().remove_network(name)

    def volumes(self, labels: Mapping[str, str]) -> tuple[Volume, ...]:
        """See `Engine.volumes`."""
        with translated("list of volumes"):
            found = self.client().volumes(filters=label_filter(labels))
        return tuple(Volume(each["Name"], each["Labels"] or {}) for each in found["Volumes"] or ())

    def create_volume(self, volume: Volume) -> None:
        """See `Engine.create_volume`."""
        with translated(f"volume {volume.name}"):
            self.client().create_volume(volume.name, labels=dict(volume.labels))

    def remove_volume(self, name: str) -> None:
        """See `Engine.remove_volume`."""
        with suppress(NoSuchObject), translated(f"removal of volume {name}"):
            self.client().remove_volume(name)

    def containers(self, labels: Mapping[str, str]) -> tuple[Container, ...]:
        """See `Engine.containers`."""
        with translated("list of containers"):
            found = self.client().containers(all=True, filters=label_filter(labels))
        return tuple(
            Container(
                id=each["Id"],
                name=each["Names"][0].lstrip("/"),
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
        with translated(f"container {name}"):
            each = self.client().inspect_container(name)
        state = each["State"]
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
        )

    def create_container(self, spec: ContainerSpec) -> str:
        """See `Engine.create_container`."""
        client = self.client()
        own_mac = version_lt(self.api_version, _ENDPOINT_MAC_API)
        host_config = client.create_host_config(
            network_mode=spec.network,
            cap_add=list(spec.cap_add),
            cap_drop=list(spec.cap_drop),
            security_opt=list(spec.security_opt),
            sysctls=dict(spec.sysctls),
            dns=list(spec.dns),
            mem_limit=spec.memory,
            memswap_limit=spec.memory,
            pids_limit=spec.pids_limit,
            log_config=LogConfig(type=LogConfig.types.JSON, config={**LOG_BOUND, **spec.log_options}),
            port_bindings={
                f"{port.port}/{port.protocol}": ("127.0.0.1", port.host_port or None)
                for port in spec.published
            },
        )
        endpoint = client.create_endpoint_config(
            ipv4_address=str(spec.address), mac_address=None if own_mac else spec.mac_address
        )
        with translated(f"container {spec.name} of {spec.image}"):
            created = client.create_container(
                spec.image,
                name=spec.name,
                hostname=spec.hostname,
                command=list(spec.command) or None,
                environment=dict(spec.environment),
                labels=dict(spec.labels),
                ports=[(port.port, port.protocol) for port in spec.published],
                host_config=host_config,
                networking_config=client.create_networking_config({spec.network: endpoint}),
                mac_address=spec.mac_address if own_mac else None,
                healthcheck={"test": ["NONE"]},
                stop_timeout=spec.stop_timeout,
            )
        return str(created["Id"])

    def start(self, name: str) -> None:
        """See `Engine.start`."""
        with translated(f"start of {name}"):
            self.client().start(name)

    def stop(self, name: str, *, timeout: int) -> None:
        """See `Engine.stop`."""
        with translated(f"stop of {name}"):
            self.client().stop(name, timeout=timeout)

    def pause(self, name: str) -> None:
        """See `Engine.pause`."""
        with translated(f"pause of {name}"):
            self.client().pause(name)

    def unpause(self, name: str) -> None:
        """See `Engine.unpause`."""
        with translated(f"unpause of {name}"):
            self.client().unpause(name)

    def signal(self, name: str, signal: str) -> None:
        """See `Engine.signal`."""
        with translated(f"signal {signal} to {name}"):
            self.client().kill(name, signal=signal)

    def remove_container(self, name: str) -> None:
        """See `Engine.remove_container`."""
        try:
            with translated(f"removal of {name}"):
                self.client().remove_container(name, force=True, v=True)
        except NoSuchObject:
            return
        except EngineError as exc:
            if "already in progress" not in exc.message:  # somebody else removes it: the same outcome
                raise

    def put_files(self, name: str, files: Sequence[File]) -> None:
        """See `Engine.put_files`."""
        with translated(f"files for {name}"):
            self.client().put_archive(name, "/", _tar(files))

    def get_file(self, name: str, path: str) -> bytes:
        """See `Engine.get_file`."""
        with translated(f"{path} of {name}"):
            chunks, _ = self.client().get_archive(name, path)
            content_of_tar = io.BytesIO(b"".join(chunks))
        with tarfile.open(fileobj=content_of_tar) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isreg() else None
            if content is None:
                raise NoSuchObject(f"{path} of {name} is no regular file", hint=f"labctl shell {name}")
            return content.read()

    def execute(self, name: str, argv: Sequence[str], *, user: str = "") -> ExecResult:
        """See `Engine.execute`."""
        client = self.client()
        with translated(f"{argv[0]} in {name}"):
            exec_id = client.exec_create(name, list(argv), user=user)["Id"]
            stdout, stderr = client.exec_start(exec_id, demux=True)
            exit_code = client.exec_inspect(exec_id)["ExitCode"]
        return ExecResult(exit_code, stdout or b"", stderr or b"")

    def attach(self, name: str, argv: Sequence[str]) -> int:
        """See `Engine.attach`."""
        from labctl.engine.terminal import converse  # noqa: PLC0415  # needs a terminal's modules

        client = self.client()
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
        with translated(f"log of {name}"):
            frames = self.client().logs(
                name,
                stream=True,
                follow=follow,
                timestamps=True,
                since=since.timestamp() if since is not None else None,
                tail="all" if tail is None else tail,
            )
        return FrameStream(frames)


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
