"""One line of a daemon's log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.lab.running.instance import Host
    from labctl.mail.log.logevent import Event

_COMPLAINT: Final = re.compile(
    r"\[(?:WARNING|ERROR|FATAL)\] |panic: "  # CoreDNS, and Go itself
    r"|(?:.{,30} )?[\w/.-]+(?:\([^)]*\)|<[^>]*>|\[[0-9]+\])*: "  # a program of Postfix or Dovecot
    r"(?:warning|error|fatal|panic): ",
    re.IGNORECASE,
)
"""How a line begins in which a daemon says that something is wrong, behind syslog's time and host."""

_LOOKED_AT: Final = 300
"""Characters of a line."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a host's daemon said, when, and what it means where it concerns a message."""

    at: datetime
    host: Host
    text: str
    event: Event | None

    @property
    def is_complaint(self) -> bool:
        """Whether the daemon says by its own word for it that something is wrong."""
        return _COMPLAINT.match(self.text[:_LOOKED_AT]) is not None

    def __str__(self) -> str:
        """Show it as evidence: when, which host, and its words."""
        return f"{self.at:%H:%M:%S}.{self.at.microsecond // 1000:03d} {self.host.hostname}: {self.text}"
