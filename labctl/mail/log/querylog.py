"""The resolver's log: one JSON object an answer, as the lab's CoreDNS plugin ``querylog`` writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime


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


def parse(text: str) -> DnsAnswer | None:
    """Read one line; None where it is no answer."""
    if not text.startswith("{"):
        return None
    try:
        told = json.loads(text)
        at = datetime.fromisoformat(told["time"])
        client, name, type_, rcode = told["client"], told["name"], told["type"], told.get("rcode")
        records = tuple(told.get("records") or ())
        duration = float(told.get("duration", 0.0))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    if not all(isinstance(part, str) for part in (client, name, type_, rcode or "", *records)):
        return None
    return DnsAnswer(at, client, name, type_, rcode, records, duration)
