"""The engine's HTTP API: requests, answers and streams over whatever its endpoint is.

An engine may fall silent in the middle of anything, say something for ever, or break off: no wait for it is
without a bound, and what it says is only as long as it may be.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from labctl.bounds import BoundedSocket, TooMuch
from labctl.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from email.message import Message

    from labctl.engine.endpoint import Endpoint

    Body: TypeAlias = Mapping[str, Any] | bytes | Iterable[bytes] | IO[bytes]
    """What goes as JSON, or as a tar where it is bytes."""

__all__ = ["Answer", "HTTPException", "Stream", "answering", "call", "get_json", "request", "stream"]

T = TypeVar("T")

CONNECT_TIMEOUT: Final = 2.0
ANSWER_TIMEOUT: Final = 10.0
"""Seconds for an answer: systemd's docker.socket accepts at once and only then starts the engine."""

LONGEST_ANSWER: Final = 64 << 20
"""Bytes of an answer that comes whole."""

LONGEST_LINE: Final = 1 << 20
"""Bytes of a line of a stream."""

PLAIN_PORT: Final = 2375
TLS_PORT: Final = 2376

_CHUNK: Final = 1 << 16
_MOST_WORDS: Final = 2000
"""Characters of a refusal that are passed on."""

_API_VERSION: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")

MISSHAPEN: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What it comes to where JSON is read that is not of the shape that was meant."""


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
        words = said["message"] if isinstance(said, dict) and "message" in said else said or ""
        return str(words)[:_MOST_WORDS].strip()

    @property
    def api_version(self) -> str | None:
        """The newest version of its API that an engine speaks, where it says so."""
        said = self.headers.get("Api-Version") or ""
        return said if _API_VERSION.fullmatch(said) else None

    def json(self) -> Any:
        """Return the body's JSON, its text where that is no JSON, None where there is none."""
        text = self.body.decode(errors="replace")
        try:
            return json.loads(text) if text.strip() else None
        except (ValueError, RecursionError):
            return text

    def read(self, doing: str, read: Callable[[Any], T]) -> T:
        """Return what a function makes of the JSON.

        Args:
            doing: What was asked for; it opens the message of an error.
            read: Raises whatever comes of JSON that is of another shape than it takes for granted.

        Raises:
            EngineError: It is of another shape.
        """
        said = self.json()
        try:
            return read(said)
        except MISSHAPEN as exc:
            raise EngineError(
                f"{doing}: the engine's answer is not what its API describes ({type(exc).__name__}: {exc}): "
                f"{self.body[:80].decode(errors='replace')!r}",
                hint="labctl doctor",
            ) from exc


class Stream:
    """An answer that comes bit by bit, such as a log that is followed.

    Args:
        connection: Where it comes from.
        response: Its head.
        endpoint: The engine.
        doing: What was asked for; it opens the message of an error.
    """

    def __init__(
        self, connection: BoundedSocket, response: HTTPResponse, endpoint: Endpoint, doing: str
    ) -> None:
        self.connection = connection
        self._response = response
        self._endpoint = endpoint
        self._doing = doing
        self._buffer = bytearray()
        self._closed = False
        self._reading = threading.Lock()

    def exactly(self, length: int, *, may_end: bool = False) -> bytes:
        """Read so many bytes; fewer only where this side closes it.

        Args:
            length: How many.
            may_end: Whether the stream may end before them; then it is nothing.

        Raises:
            EngineUnavailable: It broke off, fell silent, or a bound of it has passed.
        """
        while len(self._buffer) < length and (more := self._more()):
            self._buffer += more
        found = bytes(self._buffer[:length])
        if len(found) < length and not self._closed and (found or not may_end):
            raise self._unavailable(EOFError("it broke off"))
        del self._buffer[:length]
        return found

    def pieces(self) -> Iterator[bytes]:
        """Yield all as it comes; raises as `exactly` does."""
        while more := self._more():
            yield more

    def lines(self) -> Iterator[bytes]:
        """Yield whole lines as they come, and the last one as it is; raises as `exactly` does."""
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if end:
                self._buffer = rest
                yield bytes(line)
            elif len(line) > LONGEST_LINE:
                raise self._unavailable(TooMuch(f"a line of more than {LONGEST_LINE} bytes"))
            elif more := self._more():
                self._buffer += more
            else:
                if line:
                    yield bytes(line)
                return

    def close(self) -> None:
        """End it, from any thread: who reads now is told that this is the end."""
        self._closed = True
        self.connection.shutdown()
        with self._reading:
            self._response.close()
            self.connection.close()

    def _more(self) -> bytes:
        """Return the next piece; nothing where it has ended."""
        with self._reading:
            try:
                more = b"" if self._closed else self._response.read1(_CHUNK)
                if not more and self._response.length:
                    raise IncompleteRead(b"", self._response.length)
            except (OSError, HTTPException, ValueError) as exc:
                self.connection.close()
                if self._closed:  # under the reader's hands: whatever it met is the end
                    return b""
                raise self._unavailable(exc) from exc
            if not more:
                self.connection.close()
            return more

    def _unavailable(self, exc: Exception) -> EngineUnavailable:
        return _unavailable(self._endpoint, self._doing, exc)


@contextmanager
def answering(endpoint: Endpoint, doing: str) -> Iterator[None]:
    """Tell what becomes of an engine that stops answering as `EngineUnavailable`.

    Args:
        endpoint: The engine.
        doing: What was asked for; it opens the error's message.
    """
    try:
        yield
    except (OSError, HTTPException) as exc:
        raise _unavailable(endpoint, doing, exc) from exc


def _unavailable(endpoint: Endpoint, doing: str, exc: Exception) -> EngineUnavailable:
    return EngineUnavailable(
        f"{doing}: the engine at {endpoint} stopped answering ({_seen(exc)})", hint="labctl doctor"
    )


def _seen(exc: Exception) -> str:
    match exc:
        case IncompleteRead():
            return "it broke off within its answer"
        case BadStatusLine() if not isinstance(exc, RemoteDisconnected):
            return f"it speaks no HTTP: {str(exc)[:80]!r}"
        case _:
            return str(exc) or type(exc).__name__


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
    try:
        connection.bound(silence=timeout)
        _ask(connection, method, path, body, headers=headers or {})
        connection.bound(within=timeout, most=LONGEST_ANSWER)
        response = _head(connection, method, 1 if terminal else -1)
        if response.status < HTTPStatus.BAD_REQUEST:
            connection.bound()
            return Stream(connection, response, endpoint, doing)
        answer = _whole(response)
    except BaseException:
        connection.close()
        raise
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
    while more := response.read1(_CHUNK):
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
        try:
            found.settimeout(CONNECT_TIMEOUT)
            found.connect(parts.path)
        except BaseException:
            found.close()
            raise
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
