"""What stands before a real engine, spoils answers, the same ones for the same seed, and may go away."""

from __future__ import annotations

import os
import random
import socket
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl.engine import search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK: Final = 1 << 16
_REFUSAL: Final = b'{"message":"out of order \\u001b[2J"}'
_PAGE: Final = b"<html>\x1b[2J bad \xff gateway</html>"


def _refused(status: bytes, kind: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (status, kind, len(body))
    return head + body


INSTEAD: Final[dict[str, bytes]] = {
    "hung up": b"",
    "garbage": b"\xff\x00garbage\r\n\r\n",
    "error": _refused(b"500 Internal Server Error", b"application/json", _REFUSAL),
    "page": _refused(b"502 Bad Gateway", b"text/html", _PAGE),
    "nothing of that name": _refused(
        b"404 Not Found", b"application/json", b'{"message":"No such container"}'
    ),
}
"""Answers that come instead of the engine's."""

CUT: Final[dict[str, Callable[[float], int]]] = {
    "cut in the head": lambda chance: 1 + int(chance * 120),
    "cut in the body": lambda chance: 180 + int(chance * 600),
}
"""After how many bytes an answer of the engine's breaks off, by a number between 0 and 1."""


class Unruly:
    """An engine's socket, spoiled.

    Args:
        upstream: The engine's own socket.
        seed: What decides which answers are spoiled, and how.
        rate: What share of them.
    """

    def __init__(self, upstream: str, seed: str, rate: float) -> None:
        self._upstream = upstream
        self._random = random.Random(seed)  # noqa: S311  # nothing secret
        self._rate = rate
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.spoiled: list[str] = []

    def serve(self, listener: socket.socket) -> None:
        self._open.append(listener)
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def go_away(self) -> None:
        """End every connection, and take no more."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answer(self, asking: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with asking, engine, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := asking.recv(_CHUNK)):
                    return
                head += more
            way, chance = self._chosen(head.partition(b"\r\n")[0].decode("latin-1"))
            if way in INSTEAD:
                asking.sendall(INSTEAD[way])
                return
            engine.connect(self._upstream)
            engine.sendall(head)
            threading.Thread(target=_pass_on, args=(asking, engine), daemon=True).start()
            _pass_on(engine, asking, CUT[way](chance) if way in CUT else None)
            for each in (asking, engine):
                each.shutdown(socket.SHUT_RDWR)

    def _chosen(self, asked: str) -> tuple[str, float]:
        with self._lock:
            if self._random.random() >= self._rate or "/_ping" in asked:
                return "", 0.0
            way = self._random.choice([*INSTEAD, *CUT])
            self.spoiled.append(f"{way}: {asked}")
            return way, self._random.random()


def _pass_on(source: socket.socket, target: socket.socket, most: int | None = None) -> None:
    """Copy what one says to the other, or so many bytes of it."""
    with suppress(OSError):
        left = most
        while more := source.recv(_CHUNK if left is None else min(left, _CHUNK)):
            target.sendall(more)
            if left is not None and (left := left - len(more)) == 0:
                return
        target.shutdown(socket.SHUT_WR)


@contextmanager
def unruly(directory: Path, seed: str, rate: float) -> Iterator[tuple[str, Unruly]]:
    """Give the URL of such a socket, and what came of it."""
    upstream = search.find(os.environ, Path.home()).url.removeprefix("unix://")
    path = directory / f"{seed}.sock"
    found = Unruly(upstream, seed, rate)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(128)
        threading.Thread(target=found.serve, args=(listener,), daemon=True).start()
        try:
            yield f"unix://{path}", found
        finally:
            found.go_away()
