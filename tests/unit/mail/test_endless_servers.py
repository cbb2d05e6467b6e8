"""Servers that say nothing, or come to no end: each is told as one that did not answer, and soon."""

from __future__ import annotations

import socketserver
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from labctl.engine.model import Container, ContainerState, PublishedPort
from labctl.errors import ServiceCommandFailed
from labctl.lab.role import Role
from labctl.lab.running import readiness
from labctl.lab.running.instance import Host
from labctl.lab.running.readiness import Complaint
from labctl.mail.client import imap, pop3, tls
from labctl.mail.client.dialogue import SmtpDialogue
from labctl.mail.client.envelope import Envelope
from labctl.mail.client.imap import ImapMailbox
from labctl.mail.client.pop3 import Pop3Mailbox
from labctl.mail.client.submission import submit
from tests.unit.mail.conftest import SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.mail.conftest import StartServer

SOON: Final = 30.0
"""Seconds until a wait counts as one without a bound; those of these tests take a hundredth of that."""

TIMEOUT: Final = 0.2
WITHIN: Final = 0.4

GREETINGS: Final = {
    "smtp": b"220 mx.alpha.test ESMTP\r\n",
    "imap": b"* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n",
    "pop3": b"+OK ready\r\n",
}
CONSENTS: Final = {"smtp": b"250 Ok\r\n", "imap": b"%s OK done\r\n", "pop3": b"+OK\r\n"}
LINES: Final = {
    "smtp": b"250-and so on\r\n",
    "imap": b'* 1 EXISTS\r\n* LIST () "/" x\r\n* SEARCH 1 2\r\n',
    "pop3": b"and so on\r\n",
}
"""What a client reads on behind."""


@contextmanager
def serving(protocol: str, after: int, *, floods: bool) -> Iterator[int]:
    """Answer at a port as a server should for a while, and then say something without an end.

    Args:
        protocol: What is spoken.
        after: How many answers are given before, the greeting among them.
        floods: Whether lines are said as fast as can be, and not a byte of one now and then.
    """
    ended = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        timeout = SOON

        def handle(self) -> None:
            with suppress(OSError, StopIteration):
                for nth in range(after):
                    tag = next(self.rfile).split()[0] if nth else b""
                    consent = CONSENTS[protocol].replace(b"%s", tag)
                    self.wfile.write(consent if nth else GREETINGS[protocol])
                if after:
                    next(self.rfile)
                self.wfile.write({"pop3": b"+OK\r\n"}.get(protocol, LINES[protocol][:4]))
                while not ended.wait(0 if floods else 0.02):
                    self.wfile.write(LINES[protocol] * 1000 if floods else b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            ended.set()
            server.shutdown()


def soon(do: Callable[[], object]) -> object:
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(do).result(timeout=SOON)
    finally:
        pool.shutdown(wait=False)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (imap, pop3):
        monkeypatch.setattr(module, "DONE_WITHIN", WITHIN)
        monkeypatch.setattr(module, "LONGEST_ANSWER", 100_000)
    monkeypatch.setattr(readiness, "ANSWER_TIMEOUT", TIMEOUT)
    assert tls.LONGEST_ANSWER > 100_000


def send(port: int) -> object:
    envelope = Envelope("alice@alpha.test", ("bob@beta.test",))
    return submit("127.0.0.1", port, envelope, b"x", user="alice", password="x", timeout=TIMEOUT)


def talk(port: int) -> object:
    with SmtpDialogue.open("127.0.0.1", port, timeout=TIMEOUT) as dialogue:
        return [dialogue.say("NOOP"), dialogue.say("NOOP")]


def list_by_imap(port: int) -> object:
    with ImapMailbox.open("127.0.0.1", port, "bob@beta.test", "x", timeout=TIMEOUT) as mailbox:
        return mailbox.messages()


def list_by_pop3(port: int) -> object:
    with Pop3Mailbox.open("127.0.0.1", port, "bob@beta.test", "x", timeout=TIMEOUT) as mailbox:
        return mailbox.messages()


USES: Final = [send, talk, list_by_imap, list_by_pop3]


@pytest.mark.parametrize("use", USES)
def test_a_closed_port_is_an_error_with_the_next_step(closed_port: int, use: Callable[[int], object]) -> None:
    with pytest.raises(ServiceCommandFailed, match="connection refused") as caught:
        use(closed_port)
    assert caught.value.hint == "labctl status"


@pytest.mark.parametrize(
    ("use", "greeting"),
    [*((each, SILENCE) for each in USES), (send, GREETINGS["smtp"]), (talk, GREETINGS["smtp"])],
)
def test_a_silent_server_is_an_error_after_the_timeout(
    start_server: StartServer, use: Callable[[int], object], greeting: bytes
) -> None:
    server = start_server(greeting, {"EHLO": SILENCE, "NOOP": SILENCE})
    said = rf"127\.0\.0\.1:{server.port}.*no (reply|answer) within 0\.2 s"
    with pytest.raises(ServiceCommandFailed, match=said):
        use(server.port)


@pytest.mark.parametrize("floods", [False, True], ids=["trickles", "floods"])
@pytest.mark.parametrize(
    ("protocol", "use", "after"),
    [
        *(("smtp", send, after) for after in range(4)),
        *(("smtp", talk, after) for after in range(3)),
        *(("imap", list_by_imap, after) for after in range(4)),
        *(("pop3", list_by_pop3, after) for after in (0, 3, 4)),
    ],
)
def test_a_server_that_comes_to_no_end_did_not_answer(
    protocol: str, use: Callable[[int], object], after: int, *, floods: bool
) -> None:
    with serving(protocol, after, floods=floods) as port, pytest.raises(ServiceCommandFailed):
        soon(lambda: use(port))


@pytest.mark.parametrize("floods", [False, True], ids=["trickles", "floods"])
@pytest.mark.parametrize("after", range(2))
def test_a_host_that_comes_to_no_end_is_not_ready(after: int, *, floods: bool) -> None:
    with serving("smtp", 1, floods=False) as greeting, serving("smtp", after, floods=floods) as endless:
        ports = (PublishedPort(25, host_port=greeting), PublishedPort(587, host_port=endless))
        made = datetime.now(UTC)
        container = Container("c1", "x", ContainerState.RUNNING, "i1", {}, made, published=ports)
        host = Host("mx-alpha", "mx.alpha.test", Role.MTA, "alpha.test", (), container)
        complaint = soon(lambda: readiness.complaint(host, ()))
    assert isinstance(complaint, Complaint)
    assert "587" in complaint.text
