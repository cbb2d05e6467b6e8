"""A DNS client (RFC 1035) that asks one server and takes every answer for what it is.

Only dnspython's message and rdata parts are used, late: `dns.query` and `dns.resolver` would bring in HTTP
and TLS and the machine's own resolver settings, and cost more time to import.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from labctl.bounds import BoundedSocket
from labctl.errors import UsageError
from labctl.interruption import undone
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType

EDNS_PAYLOAD: Final = 1232
"""What fits in one packet everywhere (RFC 9715)."""
_USUAL_TYPES: Final = ("A", "AAAA", "MX", "NS", "SOA", "TXT", "CNAME", "PTR")
_REFUSED_TYPES: Final = frozenset({"AXFR", "IXFR", "OPT", "TSIG", "TKEY", "MAILA", "MAILB", "TYPE0"})


class Rcode(StrEnum):
    """Response codes (RFC 1035, section 4.1.1), and two of our own for what is no response."""

    NOERROR = "NOERROR"
    FORMERR = "FORMERR"
    SERVFAIL = "SERVFAIL"
    NXDOMAIN = "NXDOMAIN"
    NOTIMP = "NOTIMP"
    REFUSED = "REFUSED"
    TIMEOUT = "TIMEOUT"
    """No answer came in time."""
    UNREACHABLE = "UNREACHABLE"
    """The server's machine said that nobody listens there, or that it can't be reached."""


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record of an answer section."""

    name: str
    """With its final dot, as in zone files."""
    ttl: int
    type: str
    text: str
    """The data as zone files have it: ``10 mx.beta.test.``."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered to one question; ``NOERROR`` without records is NODATA (RFC 2308)."""

    name: str
    """The name that was asked for, with its final dot."""
    type: str
    rcode: str
    """An `Rcode`, or another code by its number: ``RCODE16``."""
    records: tuple[Record, ...]
    authoritative: bool = False


def resolve(server: str, port: int, name: str, rdtype: str | None = None, *, timeout: float = 5) -> Answer:
    """Ask a server one question, over UDP and, where its answer is cut short, over TCP.

    Args:
        server: Its IP address.
        port: Its port.
        name: A domain name, taken as absolute, or an IP address, whose name type PTR (or none) asks for.
        rdtype: A record type such as ``MX``; A where none is given.
        timeout: Seconds to wait for the answer, in all.

    Returns:
        The answer. NXDOMAIN, SERVFAIL, REFUSED and no answer at all are values, in `Answer.rcode`.

    Raises:
        UsageError: The name or the type is malformed or unknown.
    """
    import dns.exception  # noqa: PLC0415  # dnspython costs 50 ms, and few commands ask
    import dns.message  # noqa: PLC0415

    qname, qtype = _question(name, rdtype)
    query = dns.message.make_query(qname, qtype, use_edns=0, payload=EDNS_PAYLOAD)
    deadline = time.monotonic() + timeout
    try:
        response = _over_udp(query, server, port, deadline)
        if response.flags & dns.flags.TC:
            response = _over_tcp(query, server, port, deadline)
    except TimeoutError:
        return Answer(str(qname), qtype.name, Rcode.TIMEOUT, ())
    except (OSError, EOFError, dns.exception.DNSException):  # the last two: TCP was cut off, or spoke no DNS
        return Answer(str(qname), qtype.name, Rcode.UNREACHABLE, ())
    records = tuple(
        Record(str(rrset.name), rrset.ttl, dns.rdatatype.to_text(rrset.rdtype), rdata.to_text())
        for rrset in response.answer
        for rdata in rrset
    )
    rcode = dns.rcode.to_text(response.rcode())
    authoritative = bool(response.flags & dns.flags.AA)
    return Answer(str(qname), qtype.name, rcode, records, authoritative=authoritative)


def _question(name: str, rdtype: str | None) -> tuple[Name, RdataType]:
    import dns.exception  # noqa: PLC0415  # as above
    import dns.name  # noqa: PLC0415
    import dns.rdatatype  # noqa: PLC0415
    import dns.reversename  # noqa: PLC0415

    wanted = None if rdtype is None else rdtype.upper()
    try:
        address = ip_address(name)
    except ValueError:
        address = None
    try:
        if address is not None and wanted in (None, "PTR"):
            return dns.reversename.from_address(str(address)), dns.rdatatype.PTR
        qname = dns.name.from_text(name)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise UsageError(
            f"{name!r} is not a domain name: {error}", hint="labctl dig beta.test MX", detail={"name": name}
        ) from error
    if not name:
        raise UsageError("the name to look up is empty", hint="labctl dig beta.test MX")
    try:
        qtype = dns.rdatatype.from_text("A" if wanted is None else wanted)
    except (dns.exception.DNSException, ValueError) as error:
        raise _unknown_type(rdtype, "is not a DNS record type") from error
    if wanted in _REFUSED_TYPES:
        raise _unknown_type(rdtype, "can't be asked for by a plain question")
    return qname, qtype


def _unknown_type(rdtype: str | None, fault: str) -> UsageError:
    meant = near(rdtype or "", _USUAL_TYPES)
    return UsageError(
        f"{rdtype!r} {fault}{question(meant)}",
        hint=f"ask for {', '.join(_USUAL_TYPES[:-1])} or {_USUAL_TYPES[-1]}",
        detail={"type": rdtype, "near": meant},
    )


def _over_udp(query: Message, server: str, port: int, deadline: float) -> Message:
    with closing(_connected(server, port, socket.SOCK_DGRAM, deadline)) as client:
        client.sendall(query.to_wire())
        while (response := _parsed(query, client.recv(65535))) is None:
            pass
        return response


def _over_tcp(query: Message, server: str, port: int, deadline: float) -> Message:
    """Ask again over TCP, where each message follows its length (RFC 1035, section 4.2.2)."""
    with closing(_connected(server, port, socket.SOCK_STREAM, deadline)) as client:
        wire = query.to_wire()
        client.sendall(struct.pack("!H", len(wire)) + wire)
        heard = client.makefile()
        while len(length := heard.read(2)) == 2:  # noqa: PLR2004  # bytes of a length
            if (response := _parsed(query, heard.read(*struct.unpack("!H", length)))) is not None:
                return response
        raise EOFError


def _parsed(query: Message, wire: bytes) -> Message | None:
    """Read a response; None where it is none to this query: a late or forged one must not end the waiting."""
    import dns.exception  # noqa: PLC0415  # as above
    import dns.message  # noqa: PLC0415

    try:
        response = dns.message.from_wire(wire, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    return response if query.is_response(response) else None


def _connected(server: str, port: int, kind: socket.SocketKind, deadline: float) -> BoundedSocket:
    """Connect to a server; all that is said has to be over by the deadline."""
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    inner = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind)
    with undone(inner.close):
        inner.settimeout(left)
        inner.connect((server, port))
    client = BoundedSocket(inner)
    client.bound(within=left)
    return client
