"""How a connection is protected, and what labctl checks of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


class Tls(StrEnum):
    """Where TLS begins on a connection."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


def laboratory_context() -> ssl.SSLContext:
    """Return a client's context that accepts every certificate: those of a laboratory prove nothing."""
    import ssl  # noqa: PLC0415  # costs 10 ms, and most connections are in plain text

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
