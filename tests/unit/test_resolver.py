from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.resolver import Answer, Rcode, Record, resolve

Reply = Callable[[dns.message.Message, bool], Iterable[bytes]]
"""Given a query and whether it came over TCP: what is sent back."""


def answer_to(
    query: dns.message.Message, *records: str, rcode: int = 0, truncated: bool = False
) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    response.flags |= dns.flags.AA | (dns.flags.TC if truncated else 0)
    question = query.question[0]
    if records:
        response.answer.append(dns.rrset.from_text(question.name, 300, "IN", question.rdtype, *records))
    return response


@contextmanager
def serving(reply: Reply) -> Iterator[int]:
    """Be a name server on loopback that answers over UDP and TCP as it is told; give its port."""

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, answering = self.request
            for response in reply(dns.message.from_wire(wire), False):  # noqa: FBT003
                with suppress(OSError):  # nobody listens any more
                    answering.sendto(response, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, struct.error, dns.exception.DNSException):
                (length,) = struct.unpack("!H", self.rfile.read(2))
                for response in reply(dns.message.from_wire(self.rfile.read(length)), True):  # noqa: FBT003
                    self.wfile.write(struct.pack("!H", len(response)) + response)

    with ExitStack() as ends:
        # UDP's ports are rarely in use: TCP's, which just may be, is chosen by the system.
        tcp = ends.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp))
        udp = ends.enter_context(socketserver.ThreadingUDPServer(tcp.server_address, Udp))
        for server in (udp, tcp):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            ends.callback(server.shutdown)
        yield int(tcp.server_address[1])


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], int]]:
    """Start name servers; they end with the test."""
    with ExitStack() as ends:
        yield lambda reply: ends.enter_context(serving(reply))


Serve = Callable[[Reply], int]


def test_an_answer_holds_its_records_as_zone_files_write_them(serve: Serve) -> None:
    port = serve(lambda query, _: [answer_to(query, "10 mx.beta.test.").to_wire()])

    assert resolve("127.0.0.1", port, "beta.test", "mx") == Answer(
        "beta.test.",
        "MX",
        Rcode.NOERROR,
        (Record("beta.test.", 300, "MX", "10 mx.beta.test."),),
        authoritative=True,
    )


@pytest.mark.parametrize(
    "rcode", [Rcode.NXDOMAIN, Rcode.SERVFAIL, Rcode.REFUSED, Rcode.FORMERR, Rcode.NOTIMP]
)
def test_a_refusal_is_a_value(serve: Serve, rcode: Rcode) -> None:
    number = dns.rcode.from_text(rcode)
    port = serve(lambda query, _: [answer_to(query, rcode=number).to_wire()])

    answer = resolve("127.0.0.1", port, "nope.test", "A")

    assert (answer.rcode, answer.records) == (rcode, ())


def test_no_records_are_no_error(serve: Serve) -> None:
    port = serve(lambda query, _: [answer_to(query).to_wire()])

    assert resolve("127.0.0.1", port, "beta.test") == Answer(
        "beta.test.", "A", Rcode.NOERROR, (), authoritative=True
    )


def test_no_answer_is_a_value(serve: Serve) -> None:
    port = serve(lambda _query, _tcp: [])

    assert resolve("127.0.0.1", port, "beta.test", "MX", timeout=0.1).rcode == Rcode.TIMEOUT


def test_nobody_listening_is_a_value() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    assert resolve("127.0.0.1", port, "beta.test", "MX", timeout=5).rcode == Rcode.UNREACHABLE


def test_a_truncated_answer_is_asked_for_again_over_tcp(serve: Serve) -> None:
    texts = [f'"{number:02} {"x" * 200}"' for number in range(50)]

    def reply(query: dns.message.Message, tcp: bool) -> list[bytes]:
        return [
            (answer_to(query, *texts) if tcp else answer_to(query, truncated=True)).to_wire(max_size=65535)
        ]

    answer = resolve("127.0.0.1", serve(reply), "long.test", "TXT")

    assert {record.text for record in answer.records} == set(texts)


def test_a_connection_cut_off_midway_is_a_value(serve: Serve) -> None:
    port = serve(lambda query, tcp: [] if tcp else [answer_to(query, truncated=True).to_wire()])

    assert resolve("127.0.0.1", port, "long.test", "TXT", timeout=5).rcode == Rcode.UNREACHABLE


@pytest.mark.parametrize("over_tcp", [False, True])
def test_a_server_that_answers_other_questions_for_ever_is_none_that_answers(
    serve: Serve,
    over_tcp: bool,
) -> None:
    ended = threading.Event()

    def reply(query: dns.message.Message, tcp: bool) -> Iterator[bytes]:
        if over_tcp and not tcp:
            yield answer_to(query, truncated=True).to_wire()
            return
        other = answer_to(query, "192.0.2.66")
        other.id ^= 1
        while not ended.is_set():
            yield other.to_wire()

    assert resolve("127.0.0.1", serve(reply), "mail.test", timeout=0.2).rcode == Rcode.TIMEOUT
    ended.set()


def test_answers_to_other_questions_are_not_believed(serve: Serve) -> None:
    def reply(query: dns.message.Message, _tcp: bool) -> list[bytes]:
        other_id = answer_to(query, "192.0.2.66")
        other_id.id ^= 1
        other_name = answer_to(dns.message.make_query("evil.test", "A", id=query.id), "192.0.2.66")
        return [
            b"",
            b"garbage",
            other_id.to_wire(),
            other_name.to_wire(),
            query.to_wire(),
            answer_to(query, "192.0.2.1").to_wire(),
        ]

    answer = resolve("127.0.0.1", serve(reply), "beta.test", "A")

    assert [record.text for record in answer.records] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("name", "rdtype", "asked"),
    [
        ("203.0.113.10", None, "10.113.0.203.in-addr.arpa."),
        ("203.0.113.10", "ptr", "10.113.0.203.in-addr.arpa."),
        ("2001:db8::1", None, "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa."),
    ],
)
def test_an_ip_address_is_asked_for_its_name(serve: Serve, name: str, rdtype: str | None, asked: str) -> None:
    port = serve(lambda query, _: [answer_to(query, "mx.alpha.test.").to_wire()])

    answer = resolve("127.0.0.1", port, name, rdtype)

    assert (answer.name, answer.type) == (asked, "PTR")
    assert answer.records[0].text == "mx.alpha.test."


@pytest.mark.parametrize(
    ("name", "rdtype", "named"),
    [
        ("beta.test", "FOO", "'FOO' is not a DNS record type"),
        ("beta.test", "", "'' is not a DNS record type"),
        ("beta.test", "AXFR", "'AXFR' can't be asked for"),
        ("beta..test", "MX", "'beta..test' is not a domain name"),
        ("b" * 64 + ".test", "MX", "is not a domain name"),
        ("", "MX", "the name to look up is empty"),
    ],
)
def test_a_malformed_question_is_a_usage_error(name: str, rdtype: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("127.0.0.1", 53, name, rdtype)

    assert named in caught.value.message


@given(name=st.text(max_size=80), rdtype=st.none() | st.text(max_size=10))
def test_any_question_is_asked_or_is_a_usage_error(name: str, rdtype: str | None) -> None:
    with suppress(UsageError):
        answer = resolve("127.0.0.1", 9, name, rdtype, timeout=0.001)
        assert answer.name.endswith(".")


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_bytes_from_a_server_are_not_an_error(packets: list[bytes]) -> None:
    def reply(query: dns.message.Message, _tcp: bool) -> list[bytes]:
        return [struct.pack("!H", query.id) + packet for packet in packets] + [answer_to(query).to_wire()]

    with serving(reply) as port:
        assert resolve("127.0.0.1", port, "beta.test", timeout=5).rcode
