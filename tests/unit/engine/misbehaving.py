"""An engine on a socket that answers as it should, but for one of its answers."""

from __future__ import annotations

import itertools
import json
import re
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TRICKLE: Final = 0.02
"""Seconds between two bytes."""


@dataclass(frozen=True)
class Answer:
    """An answer in its parts: the head, and the body, which may be none."""

    head: bytes
    body: bytes = b""

    @classmethod
    def of(cls, content: object) -> Answer:
        return cls.whole(json.dumps(content).encode(), "application/json")

    @classmethod
    def whole(cls, body: bytes, kind: str = "application/x-tar", status: str = "200 OK") -> Answer:
        """Return an answer that tells its length."""
        head = f"HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nContent-Type: {kind}\r\n"
        return cls(f"{head}Content-Length: {len(body)}\r\n\r\n".encode(), body)

    @classmethod
    def chunked(cls, *pieces: bytes) -> Answer:
        body = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (*pieces, b""))
        return cls(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n", body)

    @classmethod
    def raw(cls, body: bytes) -> Answer:
        """Return an answer that ends with the connection, as what a command says does."""
        return cls(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n", body)


def frame(stream: int, content: bytes) -> bytes:
    """Return a piece of what a container says."""
    return struct.pack(">BxxxL", stream, len(content)) + content


Misbehaviour: TypeAlias = "Callable[[Engine, socket.socket, Answer], None]"
"""What an engine does with a connection instead of giving an answer."""


@dataclass
class Engine:
    """An engine that misbehaves.

    Args:
        url: Where it answers.
        answers: What it answers to a method and a path without the API's version.
    """

    url: str
    answers: Callable[[str, str], Answer]
    asked: int = 0
    _nth: int = -1
    _misbehave: Callable[[socket.socket, Answer], None] = field(default=lambda _connection, _answer: None)
    released: threading.Event = field(default_factory=threading.Event)

    def misbehaves(self, nth: int, how: Misbehaviour) -> None:
        """Count anew, and answer one question, counted from 0, in another way."""
        self.asked, self._nth = 0, nth
        self._misbehave = lambda connection, answer: how(self, connection, answer)

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):  # one that asked nothing has no method
            method, target, *_ = _asked(connection).split(" ")
            path = target.partition("?")[0]
            if path.startswith("/v1."):
                path = f"/{path.split('/', 2)[2]}"
            answer = self.answers(method, path)
            nth, self.asked = self.asked, self.asked + 1
            if nth == self._nth:
                self._misbehave(connection, answer)
            else:
                connection.sendall(answer.head + answer.body)


def _asked(connection: socket.socket) -> str:
    """Read a request to its end, and return its head: to hang up before would reset the connection."""
    with connection.makefile("rb") as lines:
        head = b"".join(itertools.takewhile(lambda line: line != b"\r\n", lines)).decode("latin-1")
        if length := re.search(r"Content-Length: (\d+)", head):
            lines.read(int(length[1]))
        elif "chunked" in head:
            for _ in itertools.takewhile(lambda line: line != b"0\r\n", lines):
                pass
            lines.readline()
    return head


@contextmanager
def serving(path: Path, answers: Callable[[str, str], Answer]) -> Iterator[Engine]:
    """Give an engine that answers at a socket."""
    engine = Engine(f"unix://{path}", answers)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(64)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=engine.serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield engine
        finally:
            engine.released.set()
            listener.shutdown(socket.SHUT_RDWR)


def parts(answer: Answer) -> dict[str, bytes]:
    """Return what has been said of an answer at each point at which an engine can stop saying it."""
    found = {"before the head": b"", "within the head": answer.head[: len(answer.head) // 2]}
    if answer.body:
        found["before the body"] = answer.head
        found["within the body"] = answer.head + answer.body[: len(answer.body) // 2]
        found["near the end"] = answer.head + answer.body[:-6]
    return found


def falling_silent(point: str) -> Misbehaviour:
    """Say nothing more from a point on."""

    def behave(engine: Engine, connection: socket.socket, answer: Answer) -> None:
        connection.sendall(parts(answer)[point])
        engine.released.wait()

    return behave


def hanging_up(point: str) -> Misbehaviour:
    return lambda _engine, connection, answer: connection.sendall(parts(answer)[point])


def trickling(engine: Engine, connection: socket.socket, answer: Answer) -> None:
    """Never be silent for long, and never come to an end: a byte of one more line now and then."""
    connection.sendall(answer.head[:-2] + b"X-More: ")
    while not engine.released.wait(_TRICKLE):
        connection.sendall(b"x")


def flooding(engine: Engine, connection: socket.socket, answer: Answer) -> None:
    """Say one thing after the other as fast as can be."""
    connection.sendall(answer.head.split(b"\r\n")[0] + b"\r\n")
    while not engine.released.is_set():
        connection.sendall(b"X-More: yes\r\n" * 1000)


def saying(content: bytes) -> Misbehaviour:
    """Say something else, and hang up."""
    return lambda _engine, connection, _answer: connection.sendall(content)


def framed(body: bytes) -> Misbehaviour:
    """Answer with another body of the right length."""
    whole = Answer.whole(body, "application/json")
    return saying(whole.head + whole.body)
