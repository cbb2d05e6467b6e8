"""A server that plays a script over a real socket on loopback, for answers no real daemon gives to order."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import ssl

HANG_UP = b""
"""As an answer: close the connection instead."""
SILENCE = b"..."
"""As an answer: say nothing and wait for the client to give up."""

Script = Mapping[str, bytes]


@dataclass
class ScriptedServer:
    """Answers each line by the whole of it, or by its first or second word; ``.`` is the end of a message.

    ``{tag}`` in an answer becomes the first word of the last command that had more than one, for IMAP.
    """

    greeting: bytes
    script: Script
    context: ssl.SSLContext | None = None
    """With one, a consent to STARTTLS is kept."""
    port: int = 0
    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    tag: str = ""
    connection: socket.socket | None = None

    def push(self, data: bytes) -> None:
        """Say something that was not asked for."""
        assert self.connection is not None
        self.connection.sendall(data)

    def hang_up(self) -> None:
        assert self.connection is not None
        self.connection.shutdown(socket.SHUT_RDWR)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the test closes the listener
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as lines, suppress(OSError):
                    connection.settimeout(5)
                    self._converse(connection, lines)

    def _converse(self, connection: socket.socket, lines: Iterator[bytes]) -> None:
        self.connection = connection
        if self._answer(connection, self.greeting, lines):
            self._serve_lines(connection, lines)

    def _serve_lines(self, connection: socket.socket, lines: Iterator[bytes]) -> None:
        self.connection = connection
        for line in lines:
            text = line.decode("latin-1").rstrip("\r\n")
            self.lines.append(text)
            words = text.upper().split(" ")
            self.tag = words[0] if len(words) > 1 else self.tag
            known = (self.script[key] for key in (text, *words[:2]) if key in self.script)
            answer = next(known, b"500 what?\r\n").replace(b"{tag}", self.tag.encode("latin-1", "replace"))
            if not self._answer(connection, answer, lines):
                return
            if words[0] == "DATA" and answer.startswith(b"354"):
                self.messages.append(b"".join(iter(lambda: next(lines), b".\r\n")))
                if not self._answer(connection, self.script["."], lines):
                    return
            if words[0] == "STARTTLS" and answer.startswith(b"220") and self.context is not None:
                with (
                    self.context.wrap_socket(connection, server_side=True) as protected,
                    protected.makefile("rb") as protected_lines,
                ):
                    self._serve_lines(protected, protected_lines)
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

    def start(greeting: bytes, script: Script, context: ssl.SSLContext | None = None) -> ScriptedServer:
        listener = socket.create_server(("127.0.0.1", 0))
        server = ScriptedServer(greeting, script, context, port=listener.getsockname()[1])
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
