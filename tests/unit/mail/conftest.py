"""A server that plays a script over a real socket on loopback, for answers no real daemon gives to order."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

HANG_UP = b""
"""As an answer: close the connection instead."""
SILENCE = b"..."
"""As an answer: say nothing and wait for the client to give up."""

Script = Mapping[str, bytes]


@dataclass
class ScriptedServer:
    """Answers each line by the whole of it, or by its first or second word; ``.`` is the end of a message.

    ``{tag}`` in an answer becomes the line's first word, as IMAP needs it.
    """

    greeting: bytes
    script: Script
    port: int = 0
    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the test closes the listener
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as lines, suppress(OSError):
                    connection.settimeout(5)
                    self._converse(connection, lines)

    def _converse(self, connection: socket.socket, lines: Iterator[bytes]) -> None:
        if not self._answer(connection, self.greeting, lines):
            return
        for line in lines:
            text = line.decode("latin-1").rstrip("\r\n")
            self.lines.append(text)
            words = text.upper().split(" ")
            known = (self.script[key] for key in (text, *words[:2]) if key in self.script)
            answer = next(known, b"500 what?\r\n").replace(b"{tag}", words[0].encode("latin-1"))
            if not self._answer(connection, answer, lines):
                return
            if words[0] == "DATA" and answer.startswith(b"354"):
                self.messages.append(b"".join(iter(lambda: next(lines), b".\r\n")))
                if not self._answer(connection, self.script["."], lines):
                    return
            if words[0] == "QUIT":
                return

    def _answer(self, connection: socket.socket, answer: bytes, lines: Iterator[bytes]) -> bool:
        if answer == SILENCE:
            next(lines, None)  # ends when the client hangs up
            return False
        if answer == HANG_UP:
            return False
        connection.sendall(answer)
        return True


StartServer = Callable[..., ScriptedServer]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Start scripted servers; they end with the test."""
    running: list[tuple[socket.socket, threading.Thread]] = []

    def start(greeting: bytes, script: Script) -> ScriptedServer:
        listener = socket.create_server(("127.0.0.1", 0))
        server = ScriptedServer(greeting, script, port=listener.getsockname()[1])
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        running.append((listener, thread))
        return server

    yield start
    for listener, thread in running:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)


@pytest.fixture
def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
