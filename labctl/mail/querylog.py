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
        client, name, type_ = told["client"], told["name"], told["type"]
        rcode, records, duration = told.get("rcode"), told.get("records") or (), told.get("duration", 0.0)
        answer = DnsAnswer(
            at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC),
            client,
            name,
            type_,
            rcode,
            tuple(records),
            float(duration),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    texts = (
        (client, name, type_, *answer.records) if rcode is None else (client, name, type_, rcode, *records)
    )
    return answer if all(isinstance(part, str) for part in texts) else None
