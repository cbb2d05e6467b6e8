"""The engine's own floor: a lab's network and containers by bare API calls in parallel, without labctl.

Only what to create is taken from labctl's plan, before the clock starts.
"""

from __future__ import annotations

import io
import socket
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from docker.api.client import APIClient
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool, LogConfig

from labctl.engine.docker import DockerEngine
from labctl.engine.endpoint import Endpoint
from labctl.lab.blueprint.addresses import candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from labctl.engine.model import File
    from labctl.lab.blueprint.plan import Plan, PlannedHost, Planner

SOCKET = "unix:///var/run/docker.sock"


@dataclass
class Floor:
    """One lab by bare API calls, a thread and a client for each container."""

    plan: Plan
    dns_ready: threading.Event = field(default_factory=threading.Event)
    network_ready: threading.Event = field(default_factory=threading.Event)
    clients: threading.local = field(default_factory=threading.local)

    def client(self) -> APIClient:
        if not hasattr(self.clients, "client"):
            self.clients.client = APIClient(base_url=SOCKET, version="1.41")
        return self.clients.client

    def up(self) -> float:
        """Make the lab be there and ready; return the seconds it took."""
        archives = {host.container.name: archive(host.files) for host in self.plan.hosts}
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(self.plan.hosts) + 1) as pool:
            work = [pool.submit(self._network)]
            work += [pool.submit(self._host, each, archives) for each in self.plan.hosts]
            for each in work:
                each.result()
        return time.monotonic() - began

    def down(self) -> float:
        """Remove it; return the seconds it took."""
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(self.plan.hosts)) as pool:
            list(pool.map(self._remove, self.plan.hosts))
        with suppress(APIError):  # starts in parallel may leave the engine with a wrong count of endpoints
            self.client().remove_network(self.plan.network.name)
        return time.monotonic() - began

    def execute(self, *argv: str, but_for: Collection[str] = ()) -> float:
        """Run a program in each host but those of some roles, all at once; return the seconds it took."""

        def run(name: str) -> None:
            made = self.client().exec_create(name, list(argv))
            self.client().exec_start(made["Id"])

        names = [each.container.name for each in self.plan.hosts if each.service.role not in but_for]
        began = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            list(pool.map(run, names))
        return time.monotonic() - began

    def _network(self) -> None:
        spec = self.plan.network
        self.client().create_network(
            spec.name,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=str(spec.subnet), gateway=str(spec.gateway))]),
            options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
        )
        self.network_ready.set()

    def _host(self, host: PlannedHost, archives: dict[str, bytes]) -> None:
        client, spec = self.client(), host.container
        client.create_container(
            spec.image,
            name=spec.name,
            hostname=spec.hostname,
            environment=dict(spec.environment),
            host_config=client.create_host_config(
                network_mode=spec.network,
                cap_add=list(spec.cap_add),
                cap_drop=list(spec.cap_drop),
                security_opt=list(spec.security_opt),
                sysctls=dict(spec.sysctls),
                dns=list(spec.dns),
                log_config=LogConfig(type="json-file"),
            ),
            networking_config=client.create_networking_config(
                {spec.network: client.create_endpoint_config(ipv4_address=str(spec.address))}
            ),
            healthcheck={"test": ["NONE"]},
        )
        client.put_archive(spec.name, "/", archives[spec.name])
        self.network_ready.wait()
        client.start(spec.name)
        self._ready(host)

    def _ready(self, host: PlannedHost) -> None:
        address = str(host.container.address)
        match host.service.role:
            case "dns":
                until(lambda: _dns(address))
                self.dns_ready.set()
            case "mda":
                until(lambda: _greets(address, 143, b"* OK"))
            case _:
                self.dns_ready.wait()
                until(lambda: _greets(address, 25, b"220 "))

    def _remove(self, host: PlannedHost) -> None:
        self.client().remove_container(host.container.name, force=True, v=True)


def planned(planners: Iterable[Planner]) -> list[Floor]:
    """Plan labs, each on a subnet that no network has, nor another of these."""
    engine = DockerEngine(Endpoint(SOCKET))
    taken = [subnet for network in engine.networks({}) for subnet in network.subnets]
    found = []
    for each in planners:
        taken.append(next(candidates(each.name, each.topology.prefix_length, taken)))
        found.append(Floor(each.on(taken[-1])))
    return found


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def _greets(address: str, port: int, expected: bytes) -> bool:
    try:
        with socket.create_connection((address, port), timeout=0.25) as connection:
            connection.settimeout(2)
            return connection.recv(64).startswith(expected)
    except OSError:
        return False


def _dns(address: str) -> bool:
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04beta\x04test\x00\x00\x0f\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.25)
        try:
            asker.connect((address, 53))
            asker.send(question)
            return asker.recv(512)[6:8] != b"\0\0"
        except OSError:
            return False


def archive(files: Iterable[File]) -> bytes:
    """Return files as the engine takes them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.size, member.mode, member.mtime = len(file.content), file.mode, int(time.time()) - 3600
            archive.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()
