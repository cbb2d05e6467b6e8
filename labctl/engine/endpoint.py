"""Where an engine answers, and the certificates it wants there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificates of an endpoint that wants TLS.

    Args:
        ca: Who signed the engine's certificate; None leaves it to the system's authorities.
        cert: The client's certificate.
        key: Its key.
        verify: Whether the engine's certificate is checked.
    """

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool

    @classmethod
    def of(cls, directory: Path, *, verify: bool) -> Tls:
        """Take what a directory of ``ca.pem``, ``cert.pem`` and ``key.pem`` holds."""
        ca, cert, key = (
            path if (path := directory / name).is_file() else None
            for name in ("ca.pem", "cert.pem", "key.pem")
        )
        return cls(ca=ca, cert=cert, key=key, verify=verify)

    def context(self) -> ssl.SSLContext:
        """Build what the standard library wants."""
        import ssl  # noqa: PLC0415  # few endpoints want it

        context = ssl.create_default_context(cafile=self.ca)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert and self.key:
            context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine answers.

    Args:
        url: ``unix:///var/run/docker.sock``, ``tcp://127.0.0.1:2375``.
        ordered_by: What names it: ``DOCKER_HOST``, ``docker context NAME``; None for a usual socket.
        tls: Its certificates, if it wants any.
        api_version: The newest version of its API, once it has answered: to ask for its version takes longer.
    """

    url: str
    ordered_by: str | None = None
    tls: Tls | None = None
    api_version: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.url} ({self.ordered_by})" if self.ordered_by else self.url
