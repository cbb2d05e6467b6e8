"""What labctl asks of an engine and what it hears back: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from ipaddress import IPv4Address, IPv4Network


class ContainerState(StrEnum):
    """A container's state in the engine's own words."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """Who answers: the engine's version, its API's, and what it calls its platform."""

    version: str
    api: str
    platform: str = ""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A bridge network to create; it never masquerades."""

    name: str
    subnet: IPv4Network
    gateway: IPv4Address
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Network:
    """A network as the engine describes it."""

    id: str
    name: str
    subnets: tuple[IPv4Network, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as the engine describes it."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A port of a container that answers on a port of this machine's 127.0.0.1."""

    port: int
    protocol: str = "tcp"
    host_port: int = 0
    """0 lets the engine choose; in what it reports it is the port chosen."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container to create, on one network, with a fixed address there."""

    name: str
    image: str
    hostname: str
    network: str
    address: IPv4Address
    mac_address: str
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    memory: int | None = None
    """Bytes, swap included."""
    pids_limit: int | None = None
    cpus: float | None = None
    ulimits: Mapping[str, int] = field(default_factory=dict)
    """Resource limits of its processes, soft and hard, by setrlimit(2)'s names in small letters."""
    published: tuple[PublishedPort, ...] = ()
    stop_timeout: int = 10
    log_options: Mapping[str, str] = field(default_factory=dict)
    """Options of the log driver ``json-file``, such as its bounds."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine describes it.

    The engine's list gives all of it but the last four; `Engine.inspect` gives these too.
    """

    id: str
    name: str
    state: ContainerState
    image_id: str
    labels: Mapping[str, str]
    created_at: datetime
    address: IPv4Address | None = None
    published: tuple[PublishedPort, ...] = ()
    exit_code: int | None = None
    oom_killed: bool | None = None
    """Whether the kernel killed one of its processes because its memory was used up."""

    started_at: datetime | None = None
    """When it was started last."""

    forks_refused: bool | None = None
    """Whether it could make no more processes at times, as it had all that it may; None if not known."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file on its way into a container."""

    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command inside a container said."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a container's log; `at` is the engine's own stamp, `text` has no line end."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the engine; `size` in bytes, all its layers counted."""

    id: str
    tags: tuple[str, ...]
    size: int
    labels: Mapping[str, str]
    created_at: datetime
