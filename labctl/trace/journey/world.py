"""What is known beside the logs: a running lab's clock, queues, mailboxes and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from labctl.lab.blueprint.clock import Clock
    from labctl.lab.running.instance import HostState
    from labctl.mail.client.mailbox import MailboxMessage
    from labctl.mail.queue import QueuedMessage


def address_in(client: str) -> str:
    """Return the address of a client as Postfix logs it: ``mx.alpha.test[203.0.113.10]``."""
    return client.partition("[")[2].partition("]")[0]


@dataclass(frozen=True, slots=True)
class World:
    """What is known beside the logs; of anyone's log files alone, nothing is."""

    clock: Clock | None = None
    queues: Mapping[str, tuple[QueuedMessage, ...]] = field(default_factory=dict)
    """By host name; of MTAs that run."""
    mailboxes: Mapping[str, tuple[tuple[str, MailboxMessage], ...]] = field(default_factory=dict)
    """By account: the folder and the message, of those that were looked for."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Host names by IP address."""
    states: Mapping[str, HostState] = field(default_factory=dict)
    """By host name."""
    begins: Mapping[str, datetime] = field(default_factory=dict)
    """By host name, when its log begins, where that is not said by a reset."""
    saved: Collection[tuple[str, str]] = ()
    """Message-IDs with the users whose mailboxes they came into, where MTAs' logs may not tell that."""
