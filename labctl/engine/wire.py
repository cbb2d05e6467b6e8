"""The engine's HTTP API: requests over whatever its endpoint is.

An engine may fall silent in the middle of anything, say something for ever, or break off: no wait for it is
without a bound, and what it says is only as long as it may be.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import (
    HTTPConnection,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from labctl.bounds import BoundedSocket
from labctl.engine.answer import CHUNK, Answer, Stream, answering
from labctl.errors import EngineError
from labctl.interruption import undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from labctl.engine.endpoint import Endpoint

    Body: TypeAlias = Mapping[str, Any] | bytes | Iterable[bytes] | IO[bytes]
    """What goes as JSON, or as a tar where it is bytes."""


T = TypeVar("T")

CONNECT_TIMEOUT: Final = 2.0
ANSWER_TIMEOUT: Final = 10.0
"""Seconds for an answer: systemd's docker.socket accepts at once and only then starts the engine."""

LONGEST_ANSWER: Final = 64 << 20
"""Bytes of an answer that comes whole."""

PLAIN_PORT: Final = 2375
TLS_PORT: Final = 2376


def get_json(endpoint: Endpoint, path: str) -> dict[str, Any]:
    """Ask for ``/info`` or ``/version`` and the like, which are objects; errors as with `call`."""
    return call(endpoint, "GET", path, read=lambda said: {**said})


def call(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: Body | None = None,
    *,
    read: Callable[[Any], T],
    timeout: float = ANSWER_TIMEOUT,
) -> T:
    """Ask an engine's API.

    Args:
        endpoint: Whom to ask.
        method: ``GET`` and so on.
        path: The path, with its query.
        body: What goes with it.
        read: See `Answer.read`.
        timeout: Seconds for the whole answer.

    Raises:
        EngineUnavailable: It stopped answering.
        EngineError: It refused, or its answer is not what was meant.
    """
    doing = f"{method} {path}"
    with answering(endpoint, doing):
        answer = request(endpoint, method, path, body, timeout=timeout)
    if answer.refused:
        raise EngineError(
            f"{endpoint} answered {doing} with {answer.status}: {answer.words}", hint="labctl doctor"
        )
    return answer.read(doing, read)


def request(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: Body | None = None,
    *,
    timeout: float = ANSWER_TIMEOUT,
    most: int = LONGEST_ANSWER,
    in_chunks: bool = True,
) -> Answer:
    """Send one request and read the whole answer.

    Args:
        endpoint: Whom to ask.
        method: ``GET`` and so on.
        path: The path, with its query.
        body: What goes with it.
        timeout: Seconds for the whole answer.
        most: Bytes of the whole answer.
        in_chunks: Whether the answer may come in chunks; else HTTP/1.0 is spoken (RFC 1945). An engine makes
            a chunk of each line of a log, and to put these together would take longer than all the rest.

    Raises:
        OSError: Nobody is there, the deadline passed (`TimeoutError`), or more was said (`TooMuch`).
        HTTPException: Whoever is there does not speak HTTP.
    """
    connection = _connect(endpoint)
    try:
        connection.bound(within=timeout, most=most)
        _ask(connection, method, path, body, speaking=HTTPConnection if in_chunks else _Unchunked)
        return _whole(_head(connection, method))
    finally:
        connection.close()


def stream(
    endpoint: Endpoint,
    method: str,
    path: str,
    body: Body | None = None,
    *,
    doing: str,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    terminal: bool = False,
) -> Stream | Answer:
    """Send one request, and read its answer bit by bit; a refusal comes whole.

    Args:
        endpoint: Whom to ask.
        method: ``POST`` and so on.
        path: The path, with its query.
        body: What goes with it.
        doing: What is asked for; it opens the message of an error.
        timeout: Seconds between two pieces of what goes with it, and until there is an answer's head. What
            comes then has no bounds but those that are set on the stream's `connection`.
        headers: Further ones of the request.
        terminal: Whether both sides may speak from then on; then the stream has read nothing of that.

    Raises:
        OSError: Nobody is there, or the deadline passed (`TimeoutError`).
        HTTPException: Whoever is there does not speak HTTP.
    """
    connection = _connect(endpoint)
    with undone(connection.close):
        connection.bound(silence=timeout)
        _ask(connection, method, path, body, headers=headers or {})
        connection.bound(within=timeout, most=LONGEST_ANSWER)
        response = _head(connection, method, 1 if terminal else -1)
        if response.status < HTTPStatus.BAD_REQUEST:
            connection.bound()
            return Stream(connection, response, endpoint, doing)
        answer = _whole(response)
    connection.close()
    return answer


class _Unchunked(HTTPConnection):
    """Speaks HTTP/1.0."""

    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


def _ask(
    connection: BoundedSocket,
    method: str,
    path: str,
    body: Body | None,
    *,
    headers: Mapping[str, str] = MappingProxyType({}),
    speaking: type[HTTPConnection] = HTTPConnection,
) -> None:
    asking = speaking("localhost")
    asking.sock = connection
    content: Any = body
    if isinstance(body, dict):
        headers, content = {**headers, "Content-Type": "application/json"}, json.dumps(body)
    elif body is not None:
        headers = {**headers, "Content-Type": "application/x-tar"}
    # Who has heard enough of a body may have said why before hanging up.
    with suppress(BrokenPipeError, ConnectionResetError):
        asking.request(method, path, content, headers)


def _head(connection: BoundedSocket, method: str, buffering: int = -1) -> HTTPResponse:
    """Read the head of an answer, and no more than so many bytes of what follows."""
    source = _Source(connection, buffering)
    response = HTTPResponse(source, method=method)  # type: ignore[arg-type]  # it has all that is used
    response.begin()
    if connection.ended:  # http.client takes a head for whole that is cut off
        raise RemoteDisconnected("it broke off within the head of its answer")
    return response


@dataclass(frozen=True, slots=True)
class _Source:
    connection: BoundedSocket
    buffering: int

    def makefile(self, mode: str) -> IO[bytes]:
        return self.connection.makefile(mode, self.buffering)


def _whole(response: HTTPResponse) -> Answer:
    """Read all of an answer; what bounds it is the connection's."""
    body = bytearray()
    while more := response.read1(CHUNK):
        body += more
    if response.length:
        raise IncompleteRead(bytes(body[:80]), response.length)
    return Answer(response.status, response.headers, bytes(body))


def _connect(endpoint: Endpoint) -> BoundedSocket:
    return BoundedSocket(_socket(endpoint))


def _socket(endpoint: Endpoint) -> socket.socket:
    parts = urlsplit(endpoint.url)
    if parts.scheme == "unix":
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with undone(found.close):
            found.settimeout(CONNECT_TIMEOUT)
            found.connect(parts.path)
        return found
    host = parts.hostname or "localhost"
    connection: HTTPConnection
    if endpoint.tls or parts.scheme == "https":
        context = endpoint.tls.context() if endpoint.tls else None
        connection = HTTPSConnection(host, parts.port or TLS_PORT, timeout=CONNECT_TIMEOUT, context=context)
    else:
        connection = HTTPConnection(host, parts.port or PLAIN_PORT, timeout=CONNECT_TIMEOUT)
    connection.connect()
    return connection.sock
