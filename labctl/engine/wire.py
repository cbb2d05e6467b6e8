"""The engine's HTTP API without its SDK: quick questions, before and beside the real adapter."""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from labctl.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from labctl.engine.endpoint import Endpoint

__all__ = ["HTTPException", "call", "get_json", "request"]

CONNECT_TIMEOUT: Final = 2.0
ANSWER_TIMEOUT: Final = 10.0
"""Seconds for an answer: systemd's docker.socket accepts at once and only then starts the engine."""

PLAIN_PORT: Final = 2375
TLS_PORT: Final = 2376


def get_json(endpoint: Endpoint, path: str) -> Any:
    """Ask for ``/info`` or ``/version`` and the like; errors as with `call`."""
    return call(endpoint, "GET", path)


def call(endpoint: Endpoint, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Ask an engine's API.

    Returns:
        Its JSON, its text where that is no JSON, None where it said nothing.

    Raises:
        EngineUnavailable: It stopped answering.
        EngineError: It refused.
    """
    try:
        status, said, _ = request(endpoint, method, path, body)
    except (OSError, HTTPException) as exc:
        raise EngineUnavailable(
            f"{endpoint} stopped answering at {method} {path}: {exc}", hint="labctl doctor"
        ) from exc
    text = said.decode(errors="replace")
    if status >= HTTPStatus.BAD_REQUEST:
        raise EngineError(
            f"{endpoint} answered {method} {path} with {status}: {text.strip()}", hint="labctl doctor"
        )
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return text


def request(
    endpoint: Endpoint, method: str, path: str, body: Mapping[str, Any] | None = None
) -> tuple[int, bytes, Message]:
    """Send one request and read the whole answer: its status, body and headers.

    Raises:
        OSError: Nobody is there, or the deadline passed (`TimeoutError`).
        HTTPException: Whoever is there does not speak HTTP.
    """
    connection = _connection(endpoint)
    try:
        connection.connect()
        connection.sock.settimeout(ANSWER_TIMEOUT)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_TIMEOUT)
        self.sock.connect(self._path)


def _connection(endpoint: Endpoint) -> HTTPConnection:
    parts = urlsplit(endpoint.url)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path)
    host = parts.hostname or "localhost"
    if endpoint.tls:
        context = endpoint.tls.context()
        return HTTPSConnection(host, parts.port or TLS_PORT, timeout=CONNECT_TIMEOUT, context=context)
    if parts.scheme == "https":
        return HTTPSConnection(host, parts.port or TLS_PORT, timeout=CONNECT_TIMEOUT)
    return HTTPConnection(host, parts.port or PLAIN_PORT, timeout=CONNECT_TIMEOUT)
