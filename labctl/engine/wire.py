"""The engine's HTTP API: requests, answers and streams over whatever its endpoint is."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from labctl.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

    from labctl.engine.endpoint import Endpoint

__all__ = ["Answer", "HTTPException", "Stream", "blob", "call", "get_json", "request", "stream"]

CONNECT_TIMEOUT: Final = 2.0
ANSWER_TIMEOUT: Final = 10.0
"""Seconds for an answer: systemd's docker.socket accepts at once and only then starts the engine."""

PLAIN_PORT: Final = 2375
TLS_PORT: Final = 2376


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's whole answer."""

    status: int
    headers: Message
    body: bytes

    @property
    def refused(self) -> bool:
        """Whether it is a refusal."""
        return self.status >= HTTPStatus.BAD_REQUEST

    @property
    def words(self) -> str:
        """What it says: the message of a refusal, or the body as text."""
        said = self.json()
        return str(said["message"] if isinstance(said, dict) and "message" in said else said or "").strip()

    def json(self) -> Any:
        """Return the body's JSON, its text where that is no JSON, None where there is none."""
        text = self.body.decode(errors="replace")
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            return text


class Stream:
    """An answer that comes bit by bit, such as a log that is followed."""

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._socket = connection.sock
        self._response = response
        self._closed = False
        self._reading = threading.Lock()

    def exactly(self, length: int) -> bytes:
        """Read so many bytes; fewer where the stream ends or is closed before."""
        found = b""
        with self._reading:
            try:
                while not self._closed and len(found) < length:
                    more = self._response.read(length - len(found))
                    if not more:
                        break
                    found += more
            except (OSError, HTTPException):
                if not self._closed:
                    raise
        return found

    def close(self) -> None:
        """End it, from any thread."""
        self._closed = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # who reads now is told that this is the end
        with self._reading:
            self._connection.close()


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
        answer = request(endpoint, method, path, body)
    except (OSError, HTTPException) as exc:
        raise EngineUnavailable(
            f"{endpoint} stopped answering at {method} {path}: {exc}", hint="labctl doctor"
        ) from exc
    if answer.refused:
        raise EngineError(
            f"{endpoint} answered {method} {path} with {answer.status}: {answer.words}", hint="labctl doctor"
        )
    return answer.json()


def request(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: Mapping[str, Any] | bytes | None = None,
    *,
    timeout: float = ANSWER_TIMEOUT,
) -> Answer:
    """Send one request and read the whole answer.

    Args:
        endpoint: Whom to ask.
        method: ``GET`` and so on.
        path: The path, with its query.
        body: What goes as JSON, or as a tar where it is bytes.
        timeout: Seconds for each part of the answer.

    Raises:
        OSError: Nobody is there, or the deadline passed (`TimeoutError`).
        HTTPException: Whoever is there does not speak HTTP.
    """
    connection = _connection(endpoint)
    try:
        response = _sent(connection, method, path, body, timeout)
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def blob(endpoint: Endpoint, path: str, *, timeout: float = ANSWER_TIMEOUT) -> Answer:
    """Ask for bytes, however many.

    By HTTP/1.0 (RFC 1945), in which nothing comes in chunks: an engine makes one of each line of a log, and
    to put these together would take longer than all the rest.

    Raises:
        OSError: Nobody is there, or the deadline passed (`TimeoutError`).
        HTTPException: Whoever is there does not speak HTTP.
    """
    connection = _connection(endpoint)
    try:
        connection.connect()
        connection.sock.settimeout(timeout)
        connection.sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("ascii"))
        response = HTTPResponse(connection.sock, method="GET")
        response.begin()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def stream(
    endpoint: Endpoint, method: str, path: str, body: Mapping[str, Any] | None = None
) -> Stream | Answer:
    """Send one request, and read its answer bit by bit, however long that takes; a refusal comes whole.

    Raises:
        OSError: Nobody is there.
        HTTPException: Whoever is there does not speak HTTP.
    """
    connection = _connection(endpoint)
    try:
        response = _sent(connection, method, path, body, None)
        if response.status < HTTPStatus.BAD_REQUEST:
            return Stream(connection, response)
        answer = Answer(response.status, response.headers, response.read())
    except BaseException:
        connection.close()
        raise
    connection.close()
    return answer


def _sent(
    connection: HTTPConnection,
    method: str,
    path: str,
    body: Mapping[str, Any] | bytes | None,
    timeout: float | None,
) -> HTTPResponse:
    connection.connect()
    connection.sock.settimeout(timeout)
    match body:
        case None:
            connection.request(method, path)
        case bytes():
            connection.request(method, path, body, {"Content-Type": "application/x-tar"})
        case _:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    return connection.getresponse()


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
