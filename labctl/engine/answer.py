"""What an engine answers: an answer that comes whole, and one that comes bit by bit."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING, Any, Final, TypeVar

from labctl.bounds import TooMuch
from labctl.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

    from labctl.bounds import BoundedSocket
    from labctl.engine.endpoint import Endpoint

T = TypeVar("T")

CHUNK: Final = 1 << 16
"""Bytes that are read at once."""

LONGEST_LINE: Final = 1 << 20
"""Bytes of a line of a stream."""

_MOST_WORDS: Final = 2000
"""Characters of a refusal that are passed on."""

_API_VERSION: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")

_MISSHAPEN: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
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
        except _MISSHAPEN as exc:
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
                more = b"" if self._closed else self._response.read1(CHUNK)
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
