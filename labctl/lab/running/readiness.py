"""Whether a lab's daemons answer as they should: asked in their own protocols, from outside."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.bounds import BoundedSocket
from labctl.lab.role import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.lab.running.instance import Host

CONNECT_TIMEOUT: Final = 0.25
"""Seconds; short, since a SYN lost in a container's first moments is sent again only after 1 s."""

ANSWER_TIMEOUT: Final = 2.0
"""Seconds; smtpd greets only when it has looked up the client's name."""

_A: Final = 1
_SOA: Final = 6
_MX: Final = 15
_IN: Final = 1
_QUERY_ID: Final = 0x6C61
_AUTHORITATIVE: Final = 0x0400
_RCODE: Final = 0x000F

_MOST_OFFERED: Final = 10_000
"""Bytes that a submission server says."""

_LMTP_PORT: Final = 24
_SASL_PORT: Final = 12345


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a daemon.

    Args:
        text: That, in words.
        listens: Whether it takes connections up.
        final: Whether it refused or gave an answer that is not as it should be, and did not only say nothing.
    """

    text: str
    listens: bool = True
    final: bool = True

    def __str__(self) -> str:
        return self.text


def complaint(host: Host, domains: tuple[str, ...]) -> Complaint | None:
    """Ask a running host once.

    Args:
        host: The host.
        domains: The zones that a resolver has to be authoritative for.

    Returns:
        What is wrong, or None where everything answers as it should.
    """
    if not host.reachable:
        state = host.state if not host.running else "on no network"
        return Complaint(f"{host.service} is {state}", listens=False)
    return next((said for probe in _probes(host, domains) if (said := probe()) is not None), None)


def _probes(host: Host, domains: tuple[str, ...]) -> Iterator[Callable[[], Complaint | None]]:
    published = bool(host.running_container().published)
    match host.role:
        case Role.DNS:
            if not domains:
                yield lambda: _silence(host)
            for domain in domains:
                yield lambda domain=domain: _zone_complaint(host, domain)  # type: ignore[misc]
        case Role.MDA:
            yield lambda: _greeting(host, 143, b"* OK", b"a logout\r\n")
            yield lambda: _greeting(host, 110, b"+OK", b"QUIT\r\n")
            if not published:  # not for the world outside a lab
                yield lambda: _greeting(host, _LMTP_PORT, b"220 ", b"QUIT\r\n")
                yield lambda: _greeting(host, _SASL_PORT, b"VERSION", b"")
        case Role.MTA:
            yield lambda: _greeting(host, 25, b"220 ", b"QUIT\r\n")
            yield lambda: _submission_complaint(host)
        case None:
            yield lambda: Complaint(f"{host.service} has no role that labctl knows")


def _greeting(host: Host, port: int, expected: bytes, farewell: bytes) -> Complaint | None:
    listens = False
    try:
        with _connected(host, port) as connection:
            listens = True
            connection.settimeout(ANSWER_TIMEOUT)
            said = connection.recv(512)
            if said.startswith(expected):
                connection.sendall(farewell)
                return None
    except OSError as exc:
        return _failure(f"port {port}", exc, listens=listens)
    return Complaint(f"port {port}: {_shown(said)}")


@contextmanager
def _connected(host: Host, port: int) -> Iterator[socket.socket]:
    """Connect to a port; by hand, since a door is an address, and to look it up as a name imports IDNA."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_TIMEOUT)
        connection.connect(host.door(port))
        yield connection


def _submission_complaint(host: Host) -> Complaint | None:
    """Port 587 offers AUTH only while Postfix reaches Dovecot's SASL (RFC 4954 section 3)."""
    listens = False
    try:
        with _connected(host, 587) as inner:
            listens = True
            connection = BoundedSocket(inner)
            connection.bound(within=ANSWER_TIMEOUT, most=_MOST_OFFERED)
            with connection.makefile() as lines:
                said = lines.readline()
                if said.startswith(b"220 "):
                    connection.sendall(b"EHLO labctl\r\n")
                    offered = list(_reply(lines.readline))
                    connection.sendall(b"QUIT\r\n")
                    lines.readline()
                    if any(line[4:].startswith(b"AUTH ") for line in offered):
                        return None
                    said = offered[-1] if offered else b""
    except OSError as exc:
        return _failure("port 587", exc, listens=listens)
    return Complaint(f"port 587 offers no AUTH: {_shown(said)}")


def _reply(readline: Callable[[], bytes]) -> Iterator[bytes]:
    """Yield the lines of one SMTP reply (RFC 5321 section 4.2.1)."""
    while line := readline():
        yield line
        if line[3:4] != b"-":
            return


def _silence(host: Host) -> Complaint | None:
    """A resolver is ready when it answers at all, where there is no mail domain to ask for."""
    try:
        _answer(host, host.hostname, _A)
    except OSError as exc:
        return _failure("port 53", exc)
    return None


def _zone_complaint(host: Host, domain: str) -> Complaint | None:
    """A resolver is ready when it answers SOA and MX of each zone with authority (RFC 1035 section 4.1)."""
    for rdtype in (_SOA, _MX):
        try:
            answer = _answer(host, domain, rdtype)
        except OSError as exc:
            return _failure(f"zone {domain}", exc)
        flags, answers = int.from_bytes(answer[2:4], "big"), int.from_bytes(answer[6:8], "big")
        if not flags & _AUTHORITATIVE or flags & _RCODE or not answers:
            return Complaint(f"zone {domain}: rcode {flags & _RCODE} and {answers} records for type {rdtype}")
    return None


def _answer(host: Host, domain: str, rdtype: int) -> bytes:
    """Ask one question.

    By hand, since all that is wanted of the answer is its header, and a whole DNS library takes longer to
    import than a lab that is up takes to be looked at.
    """
    name = b"".join(bytes([len(label)]) + label.encode() for label in domain.split(".")) + b"\0"
    header = struct.pack(">6H", _QUERY_ID, 0, 1, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(CONNECT_TIMEOUT)
        asker.connect(host.door(53, "udp"))
        asker.send(header + name + struct.pack(">2H", rdtype, _IN))
        return asker.recv(512)


def _failure(where: str, exc: OSError, *, listens: bool = False) -> Complaint:
    return Complaint(f"{where}: {exc}", listens=listens, final=not isinstance(exc, TimeoutError))


def _shown(said: bytes) -> str:
    return said.decode("utf-8", "replace").strip() or "closed the connection"
