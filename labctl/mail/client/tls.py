"""How a connection is made and protected, and what labctl checks of it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from labctl.bounds import BoundedSocket
from labctl.interruption import undone

if TYPE_CHECKING:
    import ssl

LONGEST_ANSWER: Final = 16 << 20
"""Bytes that a mailbox's server says to what is done at once; libraries take twenty times that for them."""


def connected(host: str, port: int, timeout: float | None) -> BoundedSocket:
    """Connect to a server.

    Args:
        host: Its address.
        port: Its port.
        timeout: Seconds for the connection, and then between two pieces of what is said.

    Raises:
        OSError: Nobody answers there.
    """
    found = BoundedSocket(socket.create_connection((host, port), timeout))
    found.bound(silence=timeout)
    return found


def laboratory_context() -> ssl.SSLContext:
    """Return a client's context that accepts every certificate: those of a laboratory prove nothing.

    It wraps a `BoundedSocket` as well as a socket, and gives one of the same kind back.
    """
    import ssl  # noqa: PLC0415  # costs 10 ms, and most connections are in plain text

    class Context(ssl.SSLContext):
        def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(sock, BoundedSocket):
                return super().wrap_socket(sock, *arguments, **options)
            with undone(sock.close):
                return sock.over(super().wrap_socket(sock.inner, *arguments, **options))

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
