"""Engines that are none: one that has nothing, and one that answers with any JSON, or with none."""

from __future__ import annotations

import random
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final

from labctl.engine.fake import FakeEngine
from tests.bed.api import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ODD: Final = (
    b"null", b"[]", b"{}", b"3", b'"x"', b"[null]", b"[3]", b"[{}]", b"", b"{", b"\xff", b'{"message": 3}',
    b"[" * 9999,
    b'{"Volumes": 3, "Containers": "x", "Labels": [], "Names": null}',
    b'[{"Id": 3, "Names": null, "Labels": null, "Name": 3, "RepoTags": 3, "State": 3, "IPAM": null}]',
    b'[{"Id": "a", "Names": ["/x"], "Labels": {"labctl.name": "a", "labctl.lab": "a"}, "Name": "labctl-a"}]',
)  # fmt: skip


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def running(path: Path, *, odd: bool, seed: int = 0) -> Iterator[None]:
    """Answer at a Unix socket for the length of a block."""
    if not odd:
        with serving(FakeEngine(), path):
            yield
        return
    chance = random.Random(seed)  # noqa: S311  # nothing is secret

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.endswith("/_ping"):
                self._say(200, b"OK")
            else:
                self._say(chance.choice((200, 200, 200, 201, 404, 409, 500)), chance.choice(_ODD))

        do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = _answer  # noqa: N815  # as they are looked for

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Api-Version", "1.41")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as it is overridden
            pass

    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()
