"""All messages that logs tell of, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.mail.log.delivery import RecipientState, state_of
from labctl.trace.journey.fate import message_id_of, recipients_of, sender_of
from labctl.trace.journey.hop import QueueFileName
from labctl.trace.journey.world import World
from labctl.trace.listing.merging import merged
from labctl.trace.listing.refusals import Refusal
from labctl.trace.listing.register import MAX_BYTES, Register

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from labctl.mail.log.journal import Message
    from labctl.mail.log.queuefile import QueueFile
    from labctl.mail.state import MessageState
    from labctl.trace.listing.merging import Said
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

    def _let_pass(self, row: Row, files: Sequence[QueueFile]) -> bool:
        """Whether a message is wanted, which was in some queue files."""
        if self.state not in {None, row.state} or (self.since is not None and row.last_at < self.since):
            return False
        if self.mail_from is None and self.rcpt_to is None and self.address is None:
            return True
        senders = [] if row.mail_from is None else [row.mail_from]
        recipients = list(_recipients(row, files))
        return (
            (self.mail_from is None or _is_one(self.mail_from, senders))
            and (self.rcpt_to is None or _is_one(self.rcpt_to, recipients))
            and (self.address is None or _is_one(self.address, (*senders, *recipients)))
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
            yield from _rows(register, register.told(entry.at), filters, world)
    yield from _rows(register, register.rest(), filters, world)


def _rows(
    register: Register, ended: Iterable[Message | Refusal], filters: Filters, world: World
) -> Iterator[Row]:
    for each in ended:
        files = () if isinstance(each, Refusal) else each.files
        row = _refused(each) if isinstance(each, Refusal) else _row(register, each, world)
        if row is not None and (filters == ALL or filters._let_pass(row, files)):  # noqa: SLF001  # of this module
            yield row


def _row(register: Register, message: Message, world: World) -> Row | None:
    """Return a message's row; None of what only asked for an address."""
    files, roots = message
    if len(files) == 1 and files[0].probe and not files[0].copies:
        return None
    recipients = recipients_of(register, roots, files, world)
    first_at = files[0].first_at
    return Row(
        first_at,
        max(first_at, *[file.last_at for file in files]),
        message_id_of(roots, files),
        sender_of(roots, files),
        recipients,
        state_of(roots, recipients),
        tuple([QueueFileName(file.host, file.queue_id) for file in files]),
        next((file.about for file in files if file.about is not None), None),
        any(file.incomplete for file in files),
    )


def _refused(refusal: Refusal) -> Row:
    copy = refusal.copy
    recipients = (RecipientState.refused(refusal.host, copy),) if copy.recipient else ()
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


def _recipients(row: Row, files: Iterable[QueueFile]) -> Iterator[str]:
    for each in row.recipients:
        yield from (each.address, each.original)
    for file in files:
        yield from file.named
        for copy in file.copies.values():
            yield from (copy.recipient, copy.original)


def _is_one(wanted: str, addresses: Iterable[str]) -> bool:
    """Whether one of some addresses is the wanted one, or in the wanted domain."""
    wanted = "" if wanted == "<>" else wanted.casefold()
    if wanted.startswith("@"):
        return any(address.casefold().endswith(wanted) for address in addresses)
    return any(address.casefold() == wanted for address in addresses)
