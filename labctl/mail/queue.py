"""Postfix's queue as ``postqueue -j`` and ``postcat -qeh`` print it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from labctl.contract.value import Amount, Count, MessageId, QueueId, Word
from labctl.mail.clock import TOLERANCE
from labctl.mail.content.message import normal_message_id

_MARKER: Final = re.compile(r"\*\*\* ([A-Z ]+) (?:[^ ]*/)?([0-9A-Za-z]+) \*\*\*")


class QueueName(StrEnum):
    """Postfix's queues (qmgr(8))."""

    MAILDROP = "maildrop"
    INCOMING = "incoming"
    ACTIVE = "active"
    DEFERRED = "deferred"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """A recipient that is still to be delivered to."""

    address: Word
    delay_reason: str | None
    """Why the last attempt failed; None where there was none."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in a queue."""

    queue_id: QueueId
    queue_name: QueueName
    arrival_time: datetime
    sender: str
    """Empty for the null sender of notifications."""
    size: Count
    recipients: tuple[QueuedRecipient, ...]
    forced_expire: bool = False
    message_id: MessageId | None = None
    """Not in Postfix's JSON; see `parse_headers`."""
    next_try_at: datetime | None = None
    """From when on the next queue run takes a deferred message up; not in Postfix's JSON: see `parse_due`."""
    real_wait: Amount | None = None
    """Seconds from its last attempt to the next in the real world, where that is known of a lab."""


def parse_queue(text: str) -> tuple[QueuedMessage, ...]:
    """Read the output of ``postqueue -j``: one JSON object a line (postqueue(1), JSON OBJECT FORMAT).

    Lines that are no such object are left out: the queue may change while it is printed.
    """
    return tuple(message for line in text.splitlines() if (message := _message(line)) is not None)


def parse_headers(text: str) -> dict[str, str | None]:
    """Read the output of ``postcat -qeh ID…`` into Message-IDs by queue id.

    ``-e`` is needed beside ``-h``: only then do lines like ``*** MESSAGE CONTENTS deferred/4X… ***`` part one
    message from the next. A message without a Message-ID has None; one that left the queue is not in it.
    """
    found: dict[str, str | None] = {}
    queue_id: str | None = None
    field = ""
    for line in text.split("\n"):
        if line.startswith("*** ") and (match := _MARKER.fullmatch(line.rstrip("\r"))) is not None:
            _keep(found, queue_id, field)
            queue_id, field = (match[2], "") if match[1] == "MESSAGE CONTENTS" else (None, "")
            if queue_id is not None:
                found[queue_id] = None
        elif queue_id is not None:
            if line[:1] in (" ", "\t"):
                field += line
            else:
                _keep(found, queue_id, field)
                field = line
    _keep(found, queue_id, field)
    return found


def parse_due(text: str) -> dict[str, datetime]:
    """Read when deferred messages are due, by queue id, from lines of a queue file's name and its mtime.

    The queue manager sets that time to the end of the message's cool-off time (qmgr(8), RETRY), and takes it
    up by the first queue run that comes no more than a second before.
    """
    found: dict[str, datetime] = {}
    for line in text.splitlines():
        queue_id, _, seconds = line.partition(" ")
        with suppress(ValueError, OverflowError, OSError):
            found[queue_id] = datetime.fromtimestamp(int(float(seconds)) - TOLERANCE, UTC)
    return found


def _keep(found: dict[str, str | None], queue_id: str | None, field: str) -> None:
    name, colon, value = field.partition(":")
    if queue_id is not None and colon and name.strip().casefold() == "message-id" and found[queue_id] is None:
        found[queue_id] = normal_message_id(value) or None


def _message(line: str) -> QueuedMessage | None:
    try:
        data = json.loads(line)
        return QueuedMessage(
            queue_id=str(data["queue_id"]),
            queue_name=QueueName(data["queue_name"]),
            arrival_time=datetime.fromtimestamp(int(data["arrival_time"]), UTC),
            # showq(8) prints the null sender as MAILER-DAEMON.
            sender="" if data["sender"] == "MAILER-DAEMON" else str(data["sender"]),
            size=int(data["message_size"]),
            recipients=tuple(_recipient(entry) for entry in data["recipients"]),
            forced_expire=bool(data.get("forced_expire", False)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return None


def _recipient(entry: dict[str, Any]) -> QueuedRecipient:
    reason = entry.get("delay_reason")
    return QueuedRecipient(str(entry["address"]), None if reason is None else str(reason))
