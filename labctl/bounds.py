"""Bounds on what is heard from another program: on the time that it takes, and on how much it says.

A socket's own timeout is one for each piece: who sends a byte now and then is never too slow for it, and who
sends without an end is never silent. Here the whole has a deadline and a size too.
"""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")


class TooMuch(OSError):
    """More was said than may be."""


class BoundedSocket:
    """A connected socket as the protocols of the standard library use one, with bounds on every wait.

    Args:
        inner: The socket; plain, or under TLS.
    """

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner
        self.ended = False
        """Whether the end of all that is said was met."""

        self.bound()

    def bound(
        self,
        *,
        silence: float | None = None,
        within: float | None = None,
        most: int | None = None,
        patient: Callable[[], bool] | None = None,
    ) -> None:
        """Set the bounds of what follows.

        Args:
            silence: Seconds between two pieces, and for what is said to be taken; None for ever.
            within: Seconds until all of it is over; None for ever.
            most: Bytes that are heard; None for any number.
            patient: Asked after each silence whether it is worth waiting through one more.
        """
        self._silence = silence
        self._within = within
        self._deadline = None if within is None else time.monotonic() + within
        self._most = most
        self._heard = 0
        self._patient = patient

    def over(self, inner: socket.socket) -> BoundedSocket:
        """Return another socket, such as the one under TLS on top of this one, with the same bounds."""
        other = BoundedSocket(inner)
        other.__dict__ |= {**self.__dict__, "inner": inner}
        return other

    def recv(self, most: int, flags: int = 0) -> bytes:
        """See `socket.socket.recv`.

        Raises:
            TimeoutError: A bound of time has passed.
            TooMuch: The bound of size has.
        """
        content = self._waited(lambda: self.inner.recv(most, flags))
        self._count(len(content))
        return content

    def recv_into(self, buffer: WriteableBuffer, most: int = 0) -> int:
        """See `socket.socket.recv_into`; raises as `recv` does."""
        count = self._waited(lambda: self.inner.recv_into(buffer, most))
        self._count(count)
        return count

    def sendall(self, content: ReadableBuffer) -> None:
        """See `socket.socket.sendall`; raises `TimeoutError` as `recv` does."""
        self.inner.settimeout(self._left())
        self.inner.sendall(content)

    def makefile(self, mode: str = "rb", buffering: int = -1) -> io.BufferedReader:
        """Return a buffered reader; the socket stays open when that is closed."""
        assert mode == "rb"
        return io.BufferedReader(_Reader(self), io.DEFAULT_BUFFER_SIZE if buffering < 1 else buffering)

    def settimeout(self, seconds: float | None) -> None:
        """Set the bound of a silence."""
        self._silence = seconds

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001  # the socket's own signature
        """Wait for ever for the next piece, or not at all."""
        self._silence = None if flag else 0.0

    def shutdown(self, how: int = socket.SHUT_RDWR) -> None:
        """End what is being read, from any thread; one that has ended already is no error."""
        with suppress(OSError):
            self.inner.shutdown(how)

    def close(self) -> None:
        """See `socket.socket.close`."""
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _waited(self, receive: Callable[[], T]) -> T:
        while True:
            self.inner.settimeout(self._left())
            try:
                return receive()
            except TimeoutError:
                self._left()
                if self._patient is None or not self._patient():
                    raise TimeoutError(f"nothing came for {self._silence:g} s") from None

    def _left(self) -> float | None:
        """Return the seconds that may be waited now."""
        if self._deadline is None:
            return self._silence
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"it did not end within {self._within:g} s")
        return left if self._silence is None else min(left, self._silence)

    def _count(self, length: int) -> None:
        self.ended = self.ended or not length
        self._heard += length
        if self._most is not None and self._heard > self._most:
            raise TooMuch(f"more than {self._most} bytes came")


class _Reader(io.RawIOBase):
    """What `BoundedSocket.makefile` buffers."""

    def __init__(self, channel: BoundedSocket) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        try:
            return self._channel.recv_into(buffer)
        except BlockingIOError:  # nothing is there, and nobody wants to wait
            return None
