"""All messages that logs tell of, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.mail.log.delivery import RecipientState
from labctl.trace.journey.gap import found
from labctl.trace.journey.hop import QueueFileName
from labctl.trace.journey.world import World
from labctl.trace.listing.merging import merged
from labctl.trace.listing.outcome import recipients_of, state_of
from labctl.trace.listing.record import Refusal
from labctl.trace.listing.register import MAX_BYTES, Register

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from labctl.mail.state import MessageState
    from labctl.trace.listing.merging import Said
    from labctl.trace.listing.record import Copy, Message
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.log import Log


@dataclass(frozen=True, slots=True)
class Row:
    """One message, in short."""

    first_at: datetime
    last_at: datetime
    message_id: str | None
    """Empty where it has none; None where no log tells it."""
    mail_from: str | None
    """The envelope's sender; empty for the null sender, None where no log tells it."""
    recipients: tuple[RecipientState, ...]
    """Those that a log names."""
    state: MessageState
    """The least happy of its recipients', those counted in whom no log names."""
    queue_ids: tuple[QueueFileName, ...]
    """In the order of time; none of what was refused before it had one."""
    about: str | None
    """Of a notification, the Message-ID (or the queue id, where it has none) of what it tells of."""
    incomplete: bool
    """Whether its beginning or end is not in the logs. What waits in a queue has no end yet."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages are wanted; None is any."""

    state: MessageState | None = None
    mail_from: str | None = None
    """An address, or a domain as ``@example.org``; upper and lower case are the same. ``<>`` is the null
    sender."""
    rcpt_to: str | None = None
    """Likewise; as it was submitted, or what an alias made of it."""
    address: str | None = None
    """Likewise; of the sender or a recipient."""
    since: datetime | None = None
    """What was last heard of before is left out."""

    def _let_pass(self, ended: Message | Refusal) -> bool:
        """Whether a message may be wanted, as far as can be told before its row is made."""
        if (
            self.since is not None
            and (ended.at if isinstance(ended, Refusal) else ended.last_at) < self.since
        ):
            return False
        if self.mail_from is not None and not _is_one(self.mail_from, _senders(ended)):
            return False
        if self.rcpt_to is not None and not _is_one(self.rcpt_to, _recipients(ended)):
            return False
        return self.address is None or (
            _is_one(self.address, _senders(ended)) or _is_one(self.address, _recipients(ended))
        )


ALL = Filters()


def rows(
    logs: Sequence[Log],
    filters: Filters = ALL,
    *,
    world: World | None = None,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Row]:
    """Tell of each message in some logs, in the order of the messages' ends.

    The logs may be of several hosts, or one host's that were rotated, in any order. One message is one row,
    through all the queues that it was in; a notification about it is a message of its own. Dovecot's lines
    add nothing: what it took, the MTA's log tells.

    However large the logs are, they take some 200 MB of memory at most: `max_bytes` for the messages that are
    not told yet, and a few megabytes for each log that is being read. Where more messages wait at one time,
    the one of which nothing was heard for longest is told as it stands; what comes of it later is a row of
    its own then, and incomplete.

    Args:
        logs: The logs.
        filters: Which messages are wanted.
        world: Of a lab, its hosts and when their logs begin.
        max_bytes: See above.
    """
    return rows_of(merged(logs), filters, world=world, max_bytes=max_bytes)


def rows_of(
    entries: Iterable[Entry | Said],
    filters: Filters = ALL,
    *,
    world: World | None = None,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Row]:
    """Tell of each message that some entries tell of; they come in the order of time.

    Each host's own order is what counts; entries of several hosts may be some seconds out of order.
    """
    world = world or World()
    register = Register(world, max_bytes=max_bytes)
    for entry in entries:
        if register.feed(entry):
            yield from _rows(register.told(entry.at), filters, world)
    yield from _rows(register.rest(), filters, world)


def _rows(ended: Iterable[Message | Refusal], filters: Filters, world: World) -> Iterator[Row]:
    for each in ended:
        if filters != ALL and not filters._let_pass(each):  # noqa: SLF001  # of this module
            continue
        row = _refused(each) if isinstance(each, Refusal) else _row(each, world)
        if row is not None and filters.state in (None, row.state):
            yield row


def _row(message: Message, world: World) -> Row | None:
    """Return a message's row; None of what only asked for an address."""
    records = message.records
    if len(records) > 1:
        records.sort(key=lambda record: record.first_at)
    elif records[0].probe and not records[0].copies:
        return None
    roots = message.roots
    recipients = recipients_of(message, roots)
    root = roots[0]
    if world.saved:
        recipients = tuple(found(each, root.message_id, world) for each in recipients)
    about = None
    incomplete = False
    for record in records:
        if about is None:
            about = record.about
        incomplete = incomplete or record.incomplete
    return Row(
        message.first_at,
        max(message.first_at, message.last_at),
        root.message_id or next((each.message_id for each in records if each.message_id), root.message_id),
        root.mail_from if root.mail_from is not None else _first_sender(message),
        recipients,
        state_of(roots, recipients),
        tuple([QueueFileName(record.host, record.queue_id) for record in records]),
        about,
        incomplete,
    )


def _refused(refusal: Refusal) -> Row:
    copy = refusal.copy
    recipients = (
        (
            RecipientState(
                copy.recipient,
                copy.recipient,
                copy.state,
                dsn=copy.dsn,
                reason=copy.reason,
                host=refusal.host,
                at=refusal.at,
            ),
        )
        if copy.recipient
        else ()
    )
    return Row(
        refusal.at,
        refusal.at,
        None,
        refusal.mail_from,
        recipients,
        copy.state,
        (),
        None,
        incomplete=False,
    )


def _first_sender(message: Message) -> str | None:
    return next((each.mail_from for each in message.records if each.mail_from is not None), None)


def _senders(ended: Message | Refusal) -> Iterator[str]:
    if isinstance(ended, Refusal):
        if ended.mail_from is not None:
            yield ended.mail_from
        return
    for root in ended.roots:
        if root.mail_from is not None:
            yield root.mail_from


def _recipients(ended: Message | Refusal) -> Iterator[str]:
    if isinstance(ended, Refusal):
        yield ended.copy.recipient
        return
    for record in ended.records:
        copies: Iterable[Copy] = (*record.copies.values(), *record.refused)
        for copy in copies:
            yield copy.recipient
            if copy.orig_to is not None:
                yield copy.orig_to
        if record.named is not None:
            yield record.named


def _is_one(wanted: str, addresses: Iterable[str]) -> bool:
    """Whether one of some addresses is the wanted one, or in the wanted domain."""
    wanted = "" if wanted == "<>" else wanted.casefold()
    if wanted.startswith("@"):
        return any(address.casefold().endswith(wanted) for address in addresses)
    return any(address.casefold() == wanted for address in addresses)
