"""A lab without an engine: containers in memory, whose published ports lead to small daemons on loopback."""

from __future__ import annotations

import socket
import socketserver
import tempfile
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import settings

from labctl import resources
from labctl.engine import lockfile
from labctl.engine.fake import FakeEngine
from labctl.lab.blueprint import definition
from labctl.lab.blueprint.plan import make_planner
from labctl.lab.mark import labels
from labctl.lab.mark.faultrecord import FaultRecord
from labctl.lab.running import instance, lifecycle
from labctl.lab.running.difference import compare
from labctl.progress import Progress, silent
from tests.bed.bed import Inside
from tests.bed.daemons import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from labctl.engine.model import ContainerSpec, PublishedPort
    from labctl.lab.blueprint.plan import Planner
    from labctl.lab.running.instance import Host, Instance
    from labctl.lab.running.lifecycle import Tolerance

settings.register_profile("house", deadline=None)  # a busy machine is no finding
settings.load_profile("house")

IMAGES = ("labctl/dns:latest", "labctl/mta:latest", "labctl/mda:latest")
QUEUE_ID = "4dG7xR0Lz9z1Q"
RECORDS = {"SOA": "ns. root. 1 2 3 4 5", "MX": "10 mx.", "A": "203.0.113.53"}


class Smtp(Conversation):
    """An MTA that takes every message, and tells `Daemons.taken` that it did."""

    greeting = b"220 mx.alpha.test ESMTP\r\n"
    script: ClassVar[dict[str, bytes]] = {
        "EHLO": b"250-mx.alpha.test\r\n250-SIZE 1000\r\n250 AUTH PLAIN LOGIN\r\n",
        "AUTH": b"235 2.7.0 Authentication successful\r\n",
        "MAIL": b"250 2.1.0 Ok\r\n",
        "RCPT": b"250 2.1.5 Ok\r\n",
        "DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
        ".": b"250 2.0.0 Ok: queued as " + QUEUE_ID.encode() + b"\r\n",
    }
    taken: ClassVar[list[Callable[[], None]]] = []

    def answer(self, verb: str) -> None:
        super().answer(verb)
        if verb == "DATA":
            self.message = b"".join(iter(self.rfile.readline, b".\r\n"))
            for tell in self.taken:
                tell()
            super().answer(".")


def plain(greeting: bytes, ehlo: bytes = b"") -> type[Conversation]:
    """Return a daemon that greets, and may know one command."""
    return type("Plain", (Conversation,), {"greeting": greeting, "script": {"EHLO": ehlo} if ehlo else {}})


DAEMONS: dict[str, type[Conversation]] = {
    "smtp": Smtp,
    "imap": plain(b"* OK [CAPABILITY IMAP4rev1] ready.\r\n"),
    "pop3": plain(b"+OK ready.\r\n"),
    # an MTA whose MDA does not answer: it offers no AUTH (RFC 4954)
    "deaf": plain(b"220 mx.alpha.test ESMTP\r\n", b"250-mx.alpha.test\r\n250 SIZE 1000\r\n"),
    "busy": plain(b"421 4.3.2 not now\r\n"),  # whatever it is, it is not ready
}


class Resolver(socketserver.BaseRequestHandler):
    """Answers with one record, as the server that knows (RFC 1035)."""

    def handle(self) -> None:
        wire, answering = self.request
        query = dns.message.from_wire(wire)
        asked = query.question[0]
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        rdtype = dns.rdatatype.to_text(asked.rdtype)
        response.answer.append(dns.rrset.from_text(asked.name, 1, "IN", rdtype, RECORDS[rdtype]))
        answering.sendto(response.to_wire(), self.client_address)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@dataclass
class Daemons:
    """The ports of this machine on which the daemons answer, by their ports in the lab."""

    ports: dict[int, int]
    deaf: int
    busy: int
    closed: int
    instead: dict[tuple[str, int], int] = field(default_factory=dict)
    """Ports that are others for one service."""
    taken: list[Callable[[], None]] = field(default_factory=list)
    """Called when an MTA has taken a message, before it says so."""

    def port(self, spec: ContainerSpec, port: PublishedPort) -> int:
        """Choose a port for a container: see `FakeEngine`."""
        return self.instead.get((spec.labels[labels.SERVICE], port.port), self.ports[port.port])


@pytest.fixture(scope="session")
def _served() -> Iterator[Daemons]:
    servers: list[socketserver.TCPServer] = [_Tcp(("127.0.0.1", 0), each) for each in DAEMONS.values()]
    servers.append(socketserver.UDPServer(("127.0.0.1", 0), Resolver))
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    smtp, imap, pop3, deaf, busy, resolver = (server.socket.getsockname()[1] for server in servers)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and nobody listens
        ports = {25: smtp, 587: smtp, 143: imap, 110: pop3, 53: resolver}
        yield Daemons(ports, deaf, busy, unheard.getsockname()[1], taken=Smtp.taken)
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def daemons(_served: Daemons) -> Daemons:
    """The daemons behind the ports that `fake` publishes; `instead` gives a service others."""
    _served.instead.clear()
    _served.taken.clear()
    return _served


@pytest.fixture
def fake(daemons: Daemons) -> FakeEngine:
    """An engine in memory with a lab's images; its containers answer like `Inside`."""
    engine = FakeEngine(IMAGES, publish=daemons.port)
    engine.answer = Inside(engine)
    return engine


@pytest.fixture
def planner() -> Planner:
    """The planner of the lab that ships, with published ports."""
    lab = definition.load(resources.labs_dir() / "two-domains")
    return make_planner("x", lab, images={}, publish=True, labels={labels.LOCKS: lockfile.voucher()})


@dataclass(frozen=True)
class Stage:
    """An engine, a lab's planner, and the daemons that its containers seem to be."""

    fake: FakeEngine
    planner: Planner
    daemons: Daemons

    @property
    def inside(self) -> Inside:
        """What its containers answer."""
        assert isinstance(self.fake.answer, Inside)
        return self.fake.answer

    def named(self, name: str, **given: str) -> Stage:
        """Return the same for a lab of another name, and of further labels: ``run="grade-1"``."""
        more = {f"labctl.{key}": value for key, value in given.items()}
        planner = replace(self.planner, name=name, labels={**self.planner.labels, **more})
        return replace(self, planner=planner)

    def stand(self) -> Instance:
        """Make all of the lab without asking a daemon whether it is ready."""
        plan = compare(self.fake, self.planner).plan
        self.fake.create_network(plan.network)
        for host in plan.hosts:
            self.fake.create_container(host.container)
            self.fake.put_files(host.container.name, host.files)
            self.fake.start(host.container.name)
        self.fake.create_volume(plan.record.volume(plan.name, plan.lab.id))
        return self.there

    def handing_in(self, service: str, path: str, content: bytes) -> Stage:
        """Return the same with a file that is handed in."""
        return replace(self, planner=replace(self.planner, handed_in={(service, path): content}))

    def bring_up(self, progress: Progress = silent, tolerance: Tolerance | None = None) -> list[str]:
        """Have the lab made and wait until it is ready; return what was changed, in words."""
        changes = lifecycle.bring_up(self.fake, self.planner, progress, tolerance=tolerance)
        return [str(each) for each in changes]

    @property
    def there(self) -> Instance:
        """The lab as it is now."""
        return instance.observe(self.fake, self.planner.name)

    def renew(self, service: str) -> None:
        """Put a container that was never started in the place of a host's."""
        subnet = self.there.network.subnets[0]  # type: ignore[union-attr]  # it stands
        host = self.planner.on(subnet).host(service)
        self.fake.remove_container(host.container.name)
        self.fake.create_container(host.container)

    def apply(self, fault: str, *services: str) -> None:
        """Record a fault as applied."""
        record = FaultRecord(fault, {}, {service: {"stopped": True} for service in services})
        self.fake.create_volume(record.volume(self.planner.name, self.planner.lab.id))

    def host(self, service: str) -> Host:
        return self.there.host(service)


@pytest.fixture
def stage(fake: FakeEngine, planner: Planner, daemons: Daemons) -> Stage:
    """All of it at once."""
    return Stage(fake, planner, daemons)


@pytest.fixture(autouse=True)
def _own_locks(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the locks of labs apart from those of this machine's users, and so with what else is temporary."""
    directory = tmp_path_factory.mktemp("locks")
    directory.chmod(0o1777)
    monkeypatch.setattr(lockfile, "DIRECTORIES", (directory,))
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return directory
