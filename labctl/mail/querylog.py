"""The resolver's log: one JSON object an answer, as the lab's CoreDNS plugin ``querylog`` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """A question, and what was answered."""

    at: datetime
    """When the question came."""
    client: str
    """The address that asked."""
    name: str
    """With its final dot, as asked."""
    type: str
    rcode: str | None
    """None where the question was left without an answer."""
    records: tuple[str, ...]
    duration: float
    """Seconds."""
