"""What people read of mail queues: who waits, since when, why, and until when."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from labctl.mail.clock import in_words
from labctl.mail.queue import QueueName
from labctl.report.layout.plain import LONGEST, one_line
from labctl.report.layout.table import table
from labctl.report.layout.wrap import columns, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from labctl.commands.queue import HostQueue, Queues
    from labctl.mail.queue import QueuedMessage, QueuedRecipient

_SHOWN: Final = 5
"""How many recipients with the same reason are named; JSON has all of them."""

_HEAD: Final = ("QUEUE ID", "QUEUE", "AGE", "NEXT TRY")
_ENDS: Final = ("FROM", "TO")
_BELOW: Final = "  | "


def queue(result: Queues, width: int | None = 80) -> str:
    """Show the queues, a table for each host.

    Args:
        result: The queues.
        width: How many columns there are; as many as are needed where it is None.
    """
    if not result.hosts:
        return "This lab has no MTA, and so no queue."
    messages = [message for host in result.hosts for message in host.messages]
    parts = [_host(each, result.looked_at, width) for each in result.hosts]
    if len([each for each in result.hosts if each.messages]) > 1:
        parts.append(f"In all queues: {_totals(messages, result.looked_at)}")
    if any(each.real_wait is not None for each in messages):
        parts.append("In brackets: from the last try to the next one in the real world.")
    gap = "\n\n" if messages else "\n"
    return gap.join(parts)


def _host(host: HostQueue, now: datetime, width: int | None) -> str:
    name = f"{one_line(host.host)} ({one_line(host.service)})"
    if host.state != "ready":
        return f"{name} is {host.state}: its queue can't be looked into."
    if not host.messages:
        return f"{name}: the queue is empty."
    return "\n".join((f"{name}: {_totals(host.messages, now)}", *_table(host.messages, now, width)))


def _totals(messages: list[QueuedMessage] | tuple[QueuedMessage, ...], now: datetime) -> str:
    """Say how many messages there are, in which queues, and how old the oldest is."""
    counts = Counter(str(each.queue_name) for each in messages)
    queues = ", ".join(f"{counts[each]} {each}" for each in sorted(counts, key=lambda name: -counts[name]))
    number = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
    oldest = (
        "" if len(messages) == 1 else f", the oldest {_age(min(each.arrival_time for each in messages), now)}"
    )
    return f"{number} ({one_line(queues)}){oldest}"


def _table(messages: tuple[QueuedMessage, ...], now: datetime, width: int | None) -> Iterator[str]:
    """Lay out one host's messages: sender and recipient have columns where they fit, else lines of their own.

    Below a message stands for each reason why it waits, whole, as mailq(1) does.
    """
    groups = [_by_reason(each.recipients) for each in messages]
    rows = [
        (
            message.queue_id,
            message.queue_name,
            _age(message.arrival_time, now),
            _next(message, now),
            _sender(message),
            one_line(group[0][1][0] if group else "", LONGEST),
        )
        for message, group in zip(messages, groups, strict=True)
    ]
    head, *lines = table((*_HEAD, *_ENDS), rows).splitlines()
    if not (wide := width is None or all(columns(each) <= width for each in (head, *lines))):
        head, *lines = table(_HEAD, [row[: len(_HEAD)] for row in rows]).splitlines()
    yield head
    for line, message, group in zip(lines, messages, groups, strict=True):
        yield line
        if not wide:
            yield from _below(f"from {_sender(message)}", width)
        for number, (reason, addresses) in enumerate(group):
            own_row = wide and number == 0
            if others := addresses[1:] if own_row else addresses:
                yield from _below(f"{'and ' if own_row else ''}to {_named(others)}", width)
            if reason is not None:
                yield from _below(one_line(reason, LONGEST), width)
        if message.forced_expire:
            yield f"{_BELOW}It is given up at the next try: an operator wants it so (postsuper -e)."


def _sender(message: QueuedMessage) -> str:
    return one_line(message.sender or "<>", LONGEST)


def _age(since: datetime, now: datetime) -> str:
    """Say an age in its largest unit, so that there is room for more."""
    return " ".join(in_words(max(math.floor((now - since).total_seconds()), 0)).split()[:2])


def _next(message: QueuedMessage, now: datetime) -> str:
    """Say when a message is tried next, and in brackets how long the real world waits between these tries."""
    match message.queue_name:
        case QueueName.HOLD:
            return "never by itself"
        case QueueName.DEFERRED if message.next_try_at is None:
            return "not known"
        case QueueName.DEFERRED if message.next_try_at is not None:
            left = math.ceil((message.next_try_at - now).total_seconds())
            said = f"in {in_words(left)}" if left > 0 else "any moment"
        case _:
            return "now"
    return said if message.real_wait is None else f"{said} ({in_words(message.real_wait)})"


def _by_reason(recipients: tuple[QueuedRecipient, ...]) -> list[tuple[str | None, list[str]]]:
    """Group recipients that wait for the same reason."""
    groups: dict[str | None, list[str]] = {}
    for each in recipients:
        groups.setdefault(each.delay_reason, []).append(each.address)
    return list(groups.items())


def _named(addresses: list[str]) -> str:
    shown = ", ".join(one_line(each, LONGEST) for each in addresses[:_SHOWN])
    return shown + (f" and {len(addresses) - _SHOWN} more" if len(addresses) > _SHOWN else "")


def _below(text: str, width: int | None) -> Iterator[str]:
    """Set a text below a row, each of its lines marked as no row of the table."""
    for line in [text] if width is None else wrapped(text, max(width - len(_BELOW), 2)):
        yield _BELOW + line
