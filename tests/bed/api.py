"""Docker Engine's API in front of the engine in memory: other processes reach it, and the adapter is used."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from labctl.engine.logstream import STDERR, STDOUT
from labctl.engine.model import ContainerSpec, File, NetworkSpec, PublishedPort, Volume
from labctl.errors import EngineError, NameInUse, NoSuchObject
from tests.bed.answering import answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from labctl.engine.fake import FakeEngine
    from labctl.engine.model import Container, ExecResult, Image
    from labctl.engine.protocol import LogStream


@dataclass
class Api:
    """What is asked of an engine, by method and path."""

    engine: FakeEngine
    _commands: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    _ended: dict[str, ExecResult] = field(default_factory=dict)
    logs: list[LogStream] = field(default_factory=list)
    """Those that somebody reads or has read."""

    def answer(  # noqa: C901, PLR0911, PLR0912  # a case for each question
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> Any:
        """Return what goes back as JSON, as it is where it is bytes, or bit by bit where it yields them.

        Raises:
            EngineError: It refuses.
        """
        engine, labels = self.engine, _labels(query.get("filters"))
        said = json.loads(body) if body[:1] == b"{" else {}
        match method, path.strip("/").split("/"):
            case "GET", ["_ping"]:
                return b"OK"
            case "GET", ["version"]:
                return {"Version": engine.version().version, "ApiVersion": engine.version().api}
            case "GET", ["info"]:
                limits = ("MemoryLimit", "SwapLimit", "CpuCfsQuota", "PidsLimit")
                return {"ServerVersion": engine.version().version, **dict.fromkeys(limits, True)}
            case "GET", ["networks", "none"]:
                return {"Id": engine.id}
            case "GET", ["networks"]:
                return [
                    {
                        "Id": each.id,
                        "Name": each.name,
                        "Labels": each.labels,
                        "IPAM": {"Config": [{"Subnet": str(subnet)} for subnet in each.subnets]},
                    }
                    for each in engine.networks(labels)
                ]
            case "POST", ["networks", "create"]:
                pool = said["IPAM"]["Config"][0]
                subnet, gateway = IPv4Network(pool["Subnet"]), IPv4Address(pool["Gateway"])
                return {
                    "Id": engine.create_network(NetworkSpec(said["Name"], subnet, gateway, said["Labels"]))
                }
            case "GET", ["networks", name]:
                return {"Containers": {str(n): {} for n in range(engine.endpoints(name))}}
            case "POST", ["networks", name, "disconnect"]:
                return engine.disconnect(name, said["Container"])
            case "DELETE", ["networks", name]:
                return engine.remove_network(name)
            case "GET", ["volumes"]:
                return {
                    "Volumes": [{"Name": each.name, "Labels": each.labels} for each in engine.volumes(labels)]
                }
            case "POST", ["volumes", "create"]:
                return engine.create_volume(Volume(said["Name"], said["Labels"]))
            case "DELETE", ["volumes", name]:
                return engine.remove_volume(name)
            case "GET", ["containers", "json"]:
                return [_listed(each) for each in engine.containers(labels)]
            case "POST", ["containers", "create"]:
                return {"Id": engine.create_container(_spec(query.get("name", "one"), said))}
            case "DELETE", ["containers", name]:
                return engine.remove_container(name)
            case "PUT", ["containers", name, "archive"]:
                return engine.put_files(name, list(_files(body)))
            case "GET", ["containers", name, "archive"]:
                return _tar(query["path"], engine.get_file(name, query["path"]))
            case "POST", ["containers", name, "exec"]:
                engine.inspect(name)
                number = str(len(self._commands))
                self._commands[number] = (name, said["Cmd"])
                return {"Id": number}
            case "POST", ["exec", number, "start"]:
                container, argv = self._commands[number]
                mark = b""
                if argv[4:] and argv[4].startswith("LABCTL_COMMAND="):  # as a shell tells it
                    mark, argv = argv[4].encode(), argv[5:]
                done = self._ended[number] = engine.execute(container, argv)
                return iter([_frame(STDOUT, done.stdout + mark), _frame(STDERR, done.stderr + mark)])
            case "GET", ["exec", number, "json"]:
                return {"ExitCode": self._ended[number].exit_code}
            case "GET", ["containers", name, "logs"]:
                return self._log(name, query)
            case "GET", ["containers", name, "json"]:
                return _inspected(engine.inspect(name))
            case "POST", ["containers", name, "stop"]:
                return engine.stop(name, timeout=int(query["t"]))
            case "POST", ["containers", name, "kill"]:
                return engine.signal(name, query["signal"])
            case "POST", ["containers", name, ("start" | "pause" | "unpause") as order]:
                return getattr(engine, order)(name)
            case "GET", ["images", "json"]:
                return [
                    {**_image(each), "Created": each.created_at.timestamp()} for each in engine.images(labels)
                ]
            case "GET", ["images", *name, "json"]:
                if (image := engine.image("/".join(name))) is None:
                    raise NoSuchObject(f"No such image: {'/'.join(name)}", hint="")
                return _image(image) | {"Created": image.created_at.isoformat()}
            case _:
                raise NoSuchObject(f"page not found: {method} {path}", hint="")

    def _log(self, name: str, query: dict[str, str]) -> Iterator[bytes]:
        since = datetime.fromtimestamp(float(query["since"]), UTC) if "since" in query else None
        tail = None if query["tail"] == "all" else int(query["tail"])
        log = self.engine.logs(name, since=since, tail=tail, follow=query.get("follow") == "1")
        self.logs.append(log)
        return (
            _frame(STDOUT, f"{line.at.astimezone(UTC):%FT%T.%f}000Z {line.text}\n".encode()) for line in log
        )


@contextmanager
def serving(engine: FakeEngine, path: Path) -> Iterator[Api]:
    """Let an engine in memory answer at a Unix socket for the length of a block."""
    api = Api(engine)

    def answer(method: str, asked: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        try:
            return 200, api.answer(method, asked, query, body)
        except EngineError as exc:
            codes = {NoSuchObject: 404, NameInUse: 409}
            return codes.get(type(exc), 500), {"message": exc.message}

    with answering(path, answer, version="1.46"):
        yield api
    for each in api.logs:
        each.close()


def _labels(filters: str | None) -> dict[str, str]:
    wanted = json.loads(filters or "{}").get("label", ())
    return {key: value for key, _, value in (each.partition("=") for each in wanted)}


def _spec(name: str, said: dict[str, Any]) -> ContainerSpec:
    host = said["HostConfig"]
    alone = {"EndpointsConfig": {"none": {"IPAMConfig": {"IPv4Address": "0.0.0.0"}}}}  # noqa: S104  # it has none
    [(network, endpoint)] = said.get("NetworkingConfig", alone)["EndpointsConfig"].items()
    ports = (each.split("/") for each in host.get("PortBindings", ()))
    return ContainerSpec(
        name=name,
        image=said["Image"],
        hostname=said.get("Hostname", ""),
        network=network,
        address=IPv4Address(endpoint["IPAMConfig"]["IPv4Address"]),
        mac_address=endpoint.get("MacAddress", ""),
        environment=dict(each.split("=", 1) for each in said.get("Env", ())),
        labels=said.get("Labels", {}),
        memory=host.get("Memory") or None,
        published=tuple(PublishedPort(int(port), protocol) for port, protocol in ports),
    )


def _listed(each: Container) -> dict[str, Any]:
    address = {"IPAMConfig": {"IPv4Address": str(each.address)}}
    return {
        "Id": each.id,
        "Names": [f"/{each.name}"],
        "State": each.state,
        "ImageID": each.image_id,
        "Labels": each.labels,
        "Created": each.created_at.timestamp(),
        "NetworkSettings": {"Networks": {"labctl": address}},
        "Ports": [
            {"PrivatePort": port.port, "Type": port.protocol, "PublicPort": port.host_port}
            for port in each.published
        ],
    }


def _inspected(each: Container) -> dict[str, Any]:
    listed = _listed(each)
    ports = {f"{port.port}/{port.protocol}": [{"HostPort": port.host_port}] for port in each.published}
    return {
        "Id": each.id,
        "Name": f"/{each.name}",
        "Image": each.image_id,
        "Created": each.created_at.isoformat(),
        "Config": {"Labels": each.labels},
        "State": {
            "Status": each.state,
            "ExitCode": each.exit_code or 0,
            "OOMKilled": each.oom_killed,
            "StartedAt": each.started_at.isoformat() if each.started_at else None,
        },
        "NetworkSettings": {**listed["NetworkSettings"], "Ports": ports},
        "HostConfig": {"LogConfig": {"Type": "none"}},
    }


def _image(each: Image) -> dict[str, Any]:
    about = {"Id": each.id, "RepoTags": each.tags, "Size": each.size, "Labels": each.labels}
    return {**about, "Config": {"Labels": each.labels}}


def _frame(stream: int, content: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(content)) + content if content else b""


def _files(archived: bytes) -> Iterator[File]:
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            yield File(f"/{member.name}", content.read(), member.mode)


def _tar(path: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(path.rpartition("/")[2])
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
