"""An HTTP server on a Unix socket, as Docker Engine is one."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Answer: TypeAlias = Callable[[str, str, dict[str, str], bytes], tuple[int, Any]]
"""What to say to a method, a path without the API's version, a query and a body: a status, and what goes back
as JSON, as it is where it is bytes, or bit by bit where it is an iterator."""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def answering(path: Path, answer: Answer, *, version: str) -> Iterator[None]:
    """Answer at a socket for the length of a block, as an engine of this version of the API."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def respond(self) -> None:
            url = urlsplit(self.path)
            asked = "/" + url.path[1:].partition("/")[2] if url.path.startswith("/v1.") else url.path
            query = {key: value[-1] for key, value in parse_qs(url.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = answer(self.command, unquote(asked), query, body)
            self.send_response(status)
            self.send_header("Api-Version", version)
            if hasattr(content, "__next__"):  # its end is the connection's
                self.close_connection = True
                self.send_header("Connection", "close")
                self.end_headers()
                with suppress(ConnectionError):  # who asked may have heard enough
                    for each in content:
                        self.wfile.write(each)
                return
            wire = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_header("Content-Length", str(len(wire)))
            self.end_headers()
            self.wfile.write(wire)

        do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815  # http.server's own names

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

        def address_string(self) -> str:
            return "unix"

    with _Server(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield
        server.shutdown()
