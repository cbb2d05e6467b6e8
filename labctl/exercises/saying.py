"""One line of a daemon's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.lab.instance import Host
    from labctl.mail.logevent import Event


@dataclass(frozen=True, slots=True)
class Saying:
    """What a host's daemon said, when, and what it means where it concerns a message."""

    at: datetime
    host: Host
    text: str
    event: Event | None

    def __str__(self) -> str:
        """Show it as evidence: when, which host, and its words."""
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03d} {self.host.hostname}: {self.text}"
