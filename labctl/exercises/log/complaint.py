"""What a daemon says by its own word for it that something is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from labctl.trace.logs.entry import Entry

_COMPLAINT: Final = re.compile(
    r"\[(?:WARNING|ERROR|FATAL)\] |panic: "  # CoreDNS, and Go itself
    r"|(?:.{,30} )?[\w/.-]+(?:\([^)]*\)|<[^>]*>|\[[0-9]+\])*: "  # a program of Postfix or Dovecot
    r"(?:warning|error|fatal|panic): ",
    re.IGNORECASE,
)
"""How a line begins in which a daemon says that something is wrong, behind syslog's time and host."""

_LOOKED_AT: Final = 300
"""Characters of a line."""


def is_complaint(entry: Entry) -> bool:
    """Whether a line is one in which a daemon says that something is wrong."""
    return _COMPLAINT.match(entry.text[:_LOOKED_AT]) is not None
